import { body, generatorBody, testRule } from "../../test/rule-tester.ts";
import { noReturnedWinner } from "./no-returned-winner.ts";

const winner = (output: string): never => ({ messageId: "winner", suggestions: [{ messageId: "useResult", output }] }) as never;
const both = "const a = ctx.createTimer('1s');\nconst b = ctx.callActivity('b');\n";

testRule("no-returned-winner", noReturnedWinner, {
  valid: [
    {
      name: "compared, and its result returned",
      code: body(`${both}const won = await ctx.whenAny([a, b]);\nif (won === a) return 'late';\nreturn won.result;`),
    },
    {
      name: "of a function in the body",
      code: body(`${both}const race = async () => { const won = await ctx.whenAny([a, b]); return won; };\nreturn (await race()) === a;`),
    },
    {
      name: "of a helper",
      code: body(`${both}return (await race(ctx, [a, b])).result;`, "async function race(c, all) { return await c.whenAny(all); }"),
    },
    { name: "all of them", code: body("return await ctx.whenAll(input);") },
    { name: "first gives key and value", code: body(`${both}return await ctx.first({ a, b });`) },
    { name: "a comparison", code: body(`${both}return (await ctx.whenAny([a, b])) === a;`) },
  ],
  invalid: [
    {
      name: "at once",
      code: body(`${both}return await ctx.whenAny([a, b]);`),
      errors: [winner(body(`${both}return (await ctx.whenAny([a, b])).result;`))],
    },
    {
      name: "by its name",
      code: body(`${both}const won = await ctx.whenAny([a, b]);\nreturn won;`),
      errors: [winner(body(`${both}const won = await ctx.whenAny([a, b]);\nreturn won.result;`))],
    },
    {
      name: "in a generator",
      code: generatorBody(`${both}const won = yield* ctx.whenAny([a, b]);\nreturn { won };`),
      errors: [winner(generatorBody(`${both}const won = yield* ctx.whenAny([a, b]);\nreturn { won: won.result };`))],
    },
    {
      name: "as an input",
      code: body(`${both}const won = await ctx.whenAny([a, b]);\nawait ctx.callActivity('c', won);`),
      errors: [winner(body(`${both}const won = await ctx.whenAny([a, b]);\nawait ctx.callActivity('c', won.result);`))],
    },
    {
      name: "as text",
      code: body(`${both}const won = await ctx.whenAny([a, b]);\nreturn JSON.stringify([won]);`),
      errors: [winner(body(`${both}const won = await ctx.whenAny([a, b]);\nreturn JSON.stringify([won.result]);`))],
    },
    {
      name: "of an arrow without a block",
      code: `import { orchestrator } from "ostinato";\norchestrator("x", async (c) => await c.whenAny([c.createTimer("1s")]));`,
      errors: [
        winner(
          `import { orchestrator } from "ostinato";\norchestrator("x", async (c) => (await c.whenAny([c.createTimer("1s")])).result);`,
        ),
      ],
    },
  ],
});
