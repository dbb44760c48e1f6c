import { body, testRule } from "../../test/rule-tester.ts";
import { noTimers } from "./no-timers.ts";

const timer = [{ messageId: "timer" }];
const promises = 'import { setTimeout as sleep } from "node:timers/promises";';

testRule("no-timers", noTimers, {
  valid: [
    { name: "durable timers", code: body('await ctx.createTimer("5s");') },
    { name: "in an activity", code: `import { activity } from "ostinato"; ${promises} activity("a", () => sleep(1));` },
    { name: "a timer of the file's own", code: body("setTimeout();", "const setTimeout = () => 1;") },
    {
      name: "a helper of that name that has the context",
      code: body("await sleep(ctx, 5);", 'import { sleep } from "./durable-sleep.js";'),
    },
    { name: "aborting without a timer", code: body("return AbortSignal.abort();") },
    { name: "beside the orchestrator", code: body("return 1;", "setInterval(() => {}, 1000);") },
  ],
  invalid: [
    {
      name: "a promise of a timer",
      code: body("await sleep(250);", promises),
      errors: [
        {
          messageId: "timer",
          suggestions: [
            {
              messageId: "useContext",
              data: { replacement: 'ctx.createTimer("250ms")' },
              output: body('await ctx.createTimer("250ms");', promises),
            },
          ],
        },
      ],
    },
    { name: "a length that is not written out", code: body("await sleep(input);", promises), errors: timer },
    { name: "callbacks", code: body("setTimeout(() => {}, 1); globalThis.setInterval(() => {}, 1); setImmediate(() => {});"), errors: 3 },
    { name: "a signal with a time-out", code: body("return AbortSignal.timeout(10);"), errors: timer },
    {
      name: "a helper that sleeps is told where it does",
      code: body("await pause(5);", "const pause = (ms) => new Promise((done) => setTimeout(done, ms));"),
      errors: timer,
    },
    { name: "a sleep from elsewhere", code: body("await sleep(input);", 'import { sleep } from "./time.js";'), errors: timer },
    {
      name: "a name of yours",
      code: body("await pause(input);", 'import { pause } from "./time.js";'),
      options: [{ sleepFunctions: ["pause"] }],
      errors: timer,
    },
  ],
});
