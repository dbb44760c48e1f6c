import { body, generatorBody, testRule } from "../../test/rule-tester.ts";
import { noNativeAwait } from "./no-native-await.ts";

const wait = [{ messageId: "wait" }];

testRule(
  "no-native-await",
  noNativeAwait,
  {
    valid: [
      {
        name: "tasks, one and many",
        code: body(
          "await ctx.callActivity('a');\nawait Promise.all(input.map((x) => ctx.callActivity('a', x)));\nawait Promise.race([ctx.createTimer('1s'), ctx.waitForExternalEvent('e')]);",
        ),
      },
      {
        name: "a helper that waits for tasks",
        code: body("await step(ctx);", "const step = async (c) => { await c.createTimer('1s'); };"),
      },
      { name: "a promise that a task settles", code: body("const t = ctx.callActivity('a');\nawait new Promise((done) => t.then(done));") },
      { name: "in an activity", code: `import { activity } from "ostinato"; activity("a", async () => { await new Promise(() => {}); });` },
      { name: "a Promise of the file's own", code: body("await new Promise();", "class Promise {}") },
      { name: "what is not known without types", code: body("await load(input);", 'import { load } from "./load.js";') },
      { name: "what no-io says", code: body("await fetch(input);") },
    ],
    invalid: [
      { name: "a promise made here", code: body("await new Promise((done) => input.on('x', done));"), errors: wait },
      { name: "by a name", code: body("const p = new Promise(() => {});\nawait p;"), errors: wait },
      { name: "beside tasks", code: body("await Promise.race([ctx.createTimer('1s'), new Promise(() => {})]);"), errors: wait },
      { name: "followed", code: body("await new Promise(() => {}).then(() => 1);"), errors: wait },
      { name: "a module", code: body("const { x } = await import('./x.js');\nreturn x;"), errors: [{ messageId: "module" }] },
      { name: "made outside", code: body("await ready;", "const ready = new Promise(() => {});"), errors: wait },
      { name: "yielded", code: generatorBody("yield new Promise(() => {});"), errors: wait },
      { name: "in a helper", code: body("await step();", "const step = async () => { await new Promise(() => {}); };"), errors: wait },
      {
        name: "resolvers",
        code: body("const { promise } = Promise.withResolvers();\nconst r = Promise.withResolvers();\nawait r.promise;"),
        errors: wait,
      },
      {
        name: "events and keys",
        code: body("await once(input, 'x');\nawait crypto.subtle.digest('SHA-256', input);", 'import { once } from "node:events";'),
        errors: 2,
      },
    ],
  },
  {
    valid: [body("await (ctx.callActivity('a') as PromiseLike<number>);")],
    invalid: [{ name: "with a type around it", code: body("await (new Promise<number>(() => {}) as Promise<unknown>)!;"), errors: wait }],
  },
);
