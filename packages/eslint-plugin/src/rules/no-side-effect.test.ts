import { body, testRule } from "../../test/rule-tester.ts";
import { noSideEffect } from "./no-side-effect.ts";

testRule("no-side-effect", noSideEffect, {
  valid: [
    { name: "the context's log", code: body("ctx.log.info('x');") },
    { name: "a line that is written once", code: body("if (!ctx.isReplaying) console.log('x');\n!ctx.isReplaying && console.log('y');") },
    { name: "a console of the file's own", code: body("console.log('x');", 'import { console } from "./screen.js";') },
    { name: "in an activity", code: `import { activity } from "ostinato"; activity("a", () => console.log("x"));` },
    {
      name: "an activity by its definition, by its body",
      code: body(
        "await ctx.callActivity(hello);\nawait ctx.callActivity(bye);\nawait ctx.callActivity(greet);",
        'const hello = activity("hello", () => 1);\nfunction greet() {}\nconst bye = activity("bye", greet);',
      ),
    },
    {
      name: "an activity that calls another one's body",
      code: `import { activity } from "ostinato"; function one() {} activity("one", one); activity("two", () => one());`,
    },
    {
      name: "a child",
      code: body("await ctx.callSubOrchestrator(child, input);", 'const child = orchestrator("child", async (ctx) => 1);'),
    },
    {
      name: "the hub outside",
      code: `import { openTaskHub, orchestrator } from "ostinato"; const p = orchestrator("p", async (ctx) => 1); const hub = await openTaskHub("memory:"); await hub.start(p); console.log("x");`,
    },
    { name: "what runs in something else", code: body("return input.run();") },
  ],
  invalid: [
    {
      name: "a line on the console",
      code: body("console.log('x');"),
      errors: [
        {
          messageId: "console",
          suggestions: [{ messageId: "useLog", data: { ctx: "ctx", method: "info" }, output: body("ctx.log.info('x');") }],
        },
      ],
    },
    {
      name: "several things on the console",
      code: body("console.error('x', input);\nconsole.table(input);\nprocess.stdout.write('y');"),
      errors: 3,
    },
    { name: "while replaying only", code: body("if (ctx.isReplaying) console.table('x');"), errors: [{ messageId: "console" }] },
    {
      name: "the body of an activity",
      code: body(
        "return await greet(undefined, input);",
        'async function greet(ctx, name) { return name; }\nconst hello = activity("hello", greet);',
      ),
      errors: [
        {
          messageId: "activity",
          suggestions: [
            {
              messageId: "useCall",
              data: { ctx: "ctx", activity: "greet" },
              output: body(
                "return await ctx.callActivity(greet, input);",
                'async function greet(ctx, name) { return name; }\nconst hello = activity("hello", greet);',
              ),
            },
          ],
        },
      ],
    },
    {
      name: "the definition's run",
      code: body("return hello.run({}, input);", 'const hello = activity("hello", async () => 1);'),
      errors: [
        {
          messageId: "activity",
          suggestions: [
            {
              messageId: "useCall",
              data: { ctx: "ctx", activity: "hello" },
              output: body("return ctx.callActivity(hello, input);", 'const hello = activity("hello", async () => 1);'),
            },
          ],
        },
      ],
    },
    {
      name: "the hub",
      code: `import { openTaskHub, orchestrator } from "ostinato";\nconst hub = await openTaskHub("memory:");\nconst p = orchestrator("p", async (ctx) => { const child = await hub.start(p, 1); return await child.result(); });`,
      errors: [{ messageId: "hub" }, { messageId: "hub" }],
    },
  ],
});
