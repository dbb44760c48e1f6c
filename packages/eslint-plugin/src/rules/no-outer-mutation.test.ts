import { body, testRule } from "../../test/rule-tester.ts";
import { noOuterMutation } from "./no-outer-mutation.ts";

const mutation = [{ messageId: "mutation" }];

testRule("no-outer-mutation", noOuterMutation, {
  valid: [
    {
      name: "variables of the body, also from functions in it",
      code: body("let n = 0;\nconst list = [];\nconst add = () => { n++; list.push(n); };\nadd();\nreturn n;"),
    },
    { name: "the input", code: body("input.count = 1;\nreturn input;") },
    {
      name: "what a helper was given",
      code: body("const state = { n: 0 };\nbump(state);\nreturn state.n;", "function bump(state) { state.n++; }"),
    },
    { name: "reading", code: body("return limits.max + table.get('x');", "const limits = { max: 1 };\nconst table = new Map();") },
    { name: "an activity may", code: `import { activity } from "ostinato"; const seen = []; activity("a", () => { seen.push(1); });` },
    {
      name: "a method of something unknown",
      code: body("router.add(1);\nz.set(2);", 'import { router } from "./router.js";\nconst z = router.z();'),
    },
    { name: "a shadowed name", code: body("const seen = [];\nseen.push(1);", "const seen = [];") },
    { name: "this of a class in the body", code: body("class Counter { n = 0; up() { this.n++; } }\nreturn new Counter();") },
    { name: "a copy", code: body("return [...order].sort();", "const order = [2, 1];") },
  ],
  invalid: [
    {
      name: "a variable of the module",
      code: body("count++;\ncount += 1;\n({ count } = input);\n[count] = input;", "let count = 0;"),
      errors: 4,
    },
    {
      name: "a property of a constant",
      code: body("state.n = 1;\ndelete state.n;\nObject.assign(state, input);", "const state = { n: 0 };"),
      errors: 3,
    },
    {
      name: "collections",
      code: body(
        "seen.push(1);\ntable.set(1, 2);\nstate.list.splice(0);",
        "const seen = [];\nconst table = new Map();\nconst state = { list: [] };",
      ),
      errors: 3,
    },
    {
      name: "a closure",
      code: `import { orchestrator } from "ostinato";\nfunction make() { let runs = 0; return orchestrator("x", async (ctx) => { runs++; }); }`,
      errors: mutation,
    },
    { name: "a helper of the module", code: body("bump();", "let n = 0;\nfunction bump() { n = n + 1; }"), errors: mutation },
    { name: "an import", code: body("shared.count = 1;", 'import { shared } from "./shared.js";'), errors: mutation },
    { name: "a global", code: body("globalThis.seen = true;"), errors: mutation },
    {
      name: "a nested callback",
      code: body("await ctx.map(input, (x) => { seen.add(x); });", "const seen = new Set();"),
      errors: mutation,
    },
    {
      name: "this of the class to which the body belongs",
      code: `class Flow { run = async (ctx) => { await ctx.callActivity("a"); this.done = true; }; }`,
      errors: mutation,
    },
  ],
});
