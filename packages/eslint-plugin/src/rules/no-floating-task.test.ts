import { body, generatorBody, testRule } from "../../test/rule-tester.ts";
import { noFloatingTask } from "./no-floating-task.ts";

const task = (output: string, keyword = "await"): object => ({
  messageId: "task",
  suggestions: [{ messageId: "add", data: { keyword }, output }],
});

testRule("no-floating-task", noFloatingTask, {
  valid: [
    {
      name: "awaited, kept, returned, passed on",
      code: body("await ctx.callActivity('a');\nconst t = ctx.createTimer('1s');\nreturn ctx.whenAll([t, ctx.callActivity('b')]);"),
    },
    { name: "on purpose", code: body("void ctx.callActivity('a');") },
    { name: "what makes no task", code: body("ctx.sendEvent('x', 'y');\nctx.setCustomStatus(1);\nctx.continueAsNew(1);") },
    { name: "followed by then", code: body("ctx.callActivity('a').then(() => 1);") },
    { name: "yielded", code: generatorBody("yield ctx.callActivity('a');\nyield* ctx.createTimer('1s');") },
    { name: "map whose list is taken", code: body("const all = input.map((x) => ctx.callActivity('a', x));\nreturn ctx.whenAll(all);") },
    { name: "another object's method", code: body("input.callActivity('a');\ninput.map((x) => x);") },
    { name: "a shadowed context", code: body("[1].forEach((ctx) => { ctx.map(2); });") },
    {
      name: "a helper that is awaited, one that is not async",
      code: body("await step(ctx);\nnote(ctx);", "const step = async (c) => c;\nconst note = (c) => { c.setCustomStatus(1); };"),
    },
    {
      name: "entities: signals, and calls that are awaited",
      code: body(
        "const a = ctx.entity(counter, 'a');\na.signal.add(1);\nctx.entity(counter, 'b').signal.add(1);\nawait a.add(1);\nconst got = a.call('add', 1);\nreturn got;",
        "import { counter } from './counter.js';",
      ),
    },
    { name: "pushed", code: body("const all = [];\nfor (const x of input) all.push(ctx.callActivity('a', x));\nawait ctx.whenAll(all);") },
  ],
  invalid: [
    { name: "dropped", code: body("ctx.callActivity('a', 1);"), errors: [task(body("await ctx.callActivity('a', 1);")) as never] },
    {
      name: "a timer that delays nothing",
      code: body("ctx.createTimer('1h');"),
      errors: [task(body("await ctx.createTimer('1h');")) as never],
    },
    {
      name: "in a generator",
      code: generatorBody("ctx.callActivity('a');"),
      errors: [task(generatorBody("yield* ctx.callActivity('a');"), "yield*") as never],
    },
    {
      name: "of several",
      code: body("ctx.whenAll([ctx.callActivity('a')]);"),
      errors: [task(body("await ctx.whenAll([ctx.callActivity('a')]);")) as never],
    },
    {
      name: "a call of an entity",
      code: body("const a = ctx.entity('counter', 'a');\na.add(1);"),
      errors: [task(body("const a = ctx.entity('counter', 'a');\nawait a.add(1);")) as never],
    },
    {
      name: "a call of an entity that is kept nowhere",
      code: body("ctx.entity('counter', 'a').add(1);"),
      errors: [task(body("await ctx.entity('counter', 'a').add(1);")) as never],
    },
    {
      name: "a critical section",
      code: body("ctx.lockEntities([input], () => 1);"),
      errors: [task(body("await ctx.lockEntities([input], () => 1);")) as never],
    },
    { name: "only sometimes", code: body("input && ctx.callActivity('a');"), errors: [{ messageId: "task" }] },
    { name: "forEach drops it", code: body("input.forEach((x) => ctx.callActivity('a', x));"), errors: [{ messageId: "task" }] },
    { name: "map drops it as a statement", code: body("input.map((x) => ctx.callActivity('a', x));"), errors: [{ messageId: "task" }] },
    {
      name: "an async helper that nobody awaits",
      code: body("step(ctx);", "async function step(c) { await c.callActivity('a'); }"),
      errors: [
        {
          messageId: "helper",
          suggestions: [
            {
              messageId: "add",
              data: { keyword: "await" },
              output: body("await step(ctx);", "async function step(c) { await c.callActivity('a'); }"),
            },
          ],
        },
      ],
    },
    {
      name: "a generator that only is made",
      code: generatorBody("step(ctx);", "function* step(c) { yield c.callActivity('a'); }"),
      errors: [
        {
          messageId: "generator",
          suggestions: [
            {
              messageId: "add",
              data: { keyword: "yield*" },
              output: generatorBody("yield* step(ctx);", "function* step(c) { yield c.callActivity('a'); }"),
            },
          ],
        },
      ],
    },
    {
      name: "by another name of the context",
      code: body("const c = ctx;\nc.callActivity('a');"),
      errors: [task(body("const c = ctx;\nawait c.callActivity('a');")) as never],
    },
    {
      name: "in a callback of another SDK",
      code: `export const f = function* (context) { context.df.callActivity("a"); };`,
      errors: [task(`export const f = function* (context) { yield* context.df.callActivity("a"); };`, "yield*") as never],
    },
  ],
});
