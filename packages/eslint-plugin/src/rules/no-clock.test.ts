import { body, generatorBody, testRule } from "../../test/rule-tester.ts";
import { noClock } from "./no-clock.ts";

const clock = [{ messageId: "clock" }];

testRule(
  "no-clock",
  noClock,
  {
    valid: [
      { name: "a given time", code: body("return new Date(input.dueAt).getTime() + Date.parse(input.other) + Date.UTC(2026, 1);") },
      { name: "the time of the turn", code: body("return ctx.currentUtcDateTime.getTime();") },
      { name: "an activity may", code: `import { activity } from "ostinato"; activity("a", async () => Date.now());` },
      {
        name: "an activity inside of an orchestrator may",
        code: body(`const stamp = activity("stamp", () => Date.now());\nreturn await ctx.callActivity(stamp);`),
      },
      { name: "code that no orchestrator calls may", code: body("return 1;", "function stamp() { return Date.now(); }") },
      { name: "a Date of the file's own", code: body("return Date.now();", "const Date = { now: () => 1 };") },
      { name: "a parameter of that name", code: body("return [1].map((Date) => Date.now());") },
      { name: "a property of that name", code: body("return input.Date.now() + input.performance.now();") },
      {
        name: "another library's orchestrator",
        code: `import { orchestrator } from "else"; orchestrator("x", async (ctx) => Date.now());`,
      },
      {
        name: "an orchestrator of the file's own",
        code: `const orchestrator = (n, f) => f; orchestrator("x", async (ctx) => Date.now());`,
      },
      { name: "typeof asks nothing", code: body("return typeof performance;") },
    ],
    invalid: [
      {
        name: "Date.now()",
        code: body("return Date.now();"),
        errors: clock,
        output: body("return ctx.currentUtcDateTime.getTime();"),
      },
      {
        name: "new Date() with and without parentheses, the context by its own name",
        code: `import { orchestrator as define } from "ostinato";\ndefine("x", { version: "1" }, async (context) => [new Date(), new Date]);`,
        errors: [...clock, ...clock],
        output: `import { orchestrator as define } from "ostinato";\ndefine("x", { version: "1" }, async (context) => [context.currentUtcDateTime, context.currentUtcDateTime]);`,
      },
      {
        name: "a namespace import, and a body that stands elsewhere",
        code: `import * as o from "ostinato";\nasync function body(ctx) { return Date.now(); }\no.orchestrator("x", body);`,
        errors: clock,
        output: `import * as o from "ostinato";\nasync function body(ctx) { return ctx.currentUtcDateTime.getTime(); }\no.orchestrator("x", body);`,
      },
      {
        name: "require",
        code: `const { orchestrator } = require("ostinato");\norchestrator("x", async (ctx) => Date.now());`,
        errors: clock,
        output: `const { orchestrator } = require("ostinato");\norchestrator("x", async (ctx) => ctx.currentUtcDateTime.getTime());`,
      },
      {
        name: "the body of a contract",
        code: `import { orchestrator } from "ostinato";\nconst contract = orchestrator("x", {});\nexport const x = contract.run(async (ctx) => Date.now());`,
        errors: clock,
        output: `import { orchestrator } from "ostinato";\nconst contract = orchestrator("x", {});\nexport const x = contract.run(async (ctx) => ctx.currentUtcDateTime.getTime());`,
      },
      {
        name: "the body of a contract from elsewhere, told by what it calls",
        code: `import { contract } from "./contracts.js";\nexport const x = contract.run(async (c) => { await c.callActivity("a"); return Date.now(); });`,
        errors: clock,
        output: `import { contract } from "./contracts.js";\nexport const x = contract.run(async (c) => { await c.callActivity("a"); return c.currentUtcDateTime.getTime(); });`,
      },
      {
        name: "an alias, and a name taken out of it",
        code: body("const clock = globalThis.Date;\nreturn clock.now() + now();", "const { now } = Date;"),
        errors: [...clock, ...clock],
        output: body(
          "const clock = globalThis.Date;\nreturn ctx.currentUtcDateTime.getTime() + ctx.currentUtcDateTime.getTime();",
          "const { now } = Date;",
        ),
      },
      {
        name: "a nested function",
        code: body("const stamp = () => Date.now();\nreturn input.map(() => stamp());"),
        errors: clock,
        output: body("const stamp = () => ctx.currentUtcDateTime.getTime();\nreturn input.map(() => stamp());"),
      },
      {
        name: "a helper that has the context under another name",
        code: body("return stamp(input, ctx);", "function stamp(x, c) { return inner(c); }\nconst inner = (given) => Date.now();"),
        errors: [{ messageId: "clock" }],
        output: body(
          "return stamp(input, ctx);",
          "function stamp(x, c) { return inner(c); }\nconst inner = (given) => given.currentUtcDateTime.getTime();",
        ),
      },
      {
        name: "a helper without the context: nothing to write in its place",
        code: body("return stamp();", "function stamp() { return Date.now(); }"),
        errors: clock,
        output: null,
      },
      {
        name: "a helper that is handed to map",
        code: body("return input.map(stamp);", "const stamp = (x) => Date.now();"),
        errors: clock,
        output: null,
      },
      {
        name: "a shadowed context: nothing to write in its place",
        code: body("return [1].map((ctx) => Date.now());"),
        errors: clock,
        output: null,
      },
      {
        name: "a generator of another SDK",
        code: `export const f = function* (context) { yield context.df.callActivity("a"); return new Date(); };`,
        errors: clock,
        output: `export const f = function* (context) { yield context.df.callActivity("a"); return context.df.currentUtcDateTime; };`,
      },
      {
        name: "a generator",
        code: generatorBody("return Date.now();"),
        errors: clock,
        output: generatorBody("return ctx.currentUtcDateTime.getTime();"),
      },
      {
        name: "a method of a class, and what it calls by this",
        code: `class Flow { run = async (ctx) => { await ctx.callActivity("a"); return this.stamp(); }; stamp() { return Date.now(); } }`,
        errors: clock,
        output: null,
      },
      {
        name: "performance.now, which is no clock of the day",
        code: body("return performance.now();"),
        errors: [
          { messageId: "clock", suggestions: [{ messageId: "useContext", output: body("return ctx.currentUtcDateTime.getTime();") }] },
        ],
      },
      { name: "the others", code: body("return [Date(), process.hrtime.bigint(), Temporal.Now.instant(), process.uptime()];"), errors: 4 },
      {
        name: "libraries",
        code: body(
          "return [dayjs(), dayjs(input.at), DateTime.now(), now.now()];",
          `import dayjs from "dayjs";\nimport { DateTime } from "luxon";\nimport { performance as now } from "node:perf_hooks";`,
        ),
        errors: 3,
      },
      {
        name: "a module that shows the same words, named in the settings",
        code: `import { orchestrator } from "./durable.js";\norchestrator("x", async (ctx) => Date.now());`,
        settings: { ostinato: { modules: ["./durable.js"] } },
        errors: clock,
        output: `import { orchestrator } from "./durable.js";\norchestrator("x", async (ctx) => ctx.currentUtcDateTime.getTime());`,
      },
    ],
  },
  {
    valid: [body("type Clock = typeof Date.now;\nreturn 1 as unknown as Clock;")],
    invalid: [
      {
        name: "a parameter of the context's type, in a file of its own",
        code: `import type { OrchestratorContext } from "ostinato";\nexport async function step(name: string, ctx: OrchestratorContext) { return Date.now() as number; }`,
        errors: clock,
        output: `import type { OrchestratorContext } from "ostinato";\nexport async function step(name: string, ctx: OrchestratorContext) { return ctx.currentUtcDateTime.getTime() as number; }`,
      },
      {
        name: "a body by its type",
        code: `import type { OrchestratorBody } from "ostinato";\nexport const run: OrchestratorBody<void, number> = async (ctx) => Date.now();`,
        errors: clock,
        output: `import type { OrchestratorBody } from "ostinato";\nexport const run: OrchestratorBody<void, number> = async (ctx) => ctx.currentUtcDateTime.getTime();`,
      },
    ],
  },
);
