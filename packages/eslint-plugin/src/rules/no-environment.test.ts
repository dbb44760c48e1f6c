import { body, testRule } from "../../test/rule-tester.ts";
import { noEnvironment } from "./no-environment.ts";

const environment = [{ messageId: "environment" }];

testRule("no-environment", noEnvironment, {
  valid: [
    { name: "a parameter of that name", code: body("return input.map((process) => process.env);") },
    { name: "a setting that was read outside", code: body("return region;", "const region = process.env.REGION;") },
    { name: "in an activity", code: `import { activity } from "ostinato"; activity("a", () => process.env.HOME);` },
    { name: "the end of a line", code: body("return EOL;", 'import { EOL } from "node:os";') },
    { name: "what is allowed", code: body("return process.env.NODE_ENV;"), options: [{ allow: ["process.env.NODE_ENV"] }] },
    { name: "import.meta as such", code: body("return import.meta.url;") },
    { name: "typeof", code: body("return typeof process === 'undefined';") },
  ],
  invalid: [
    {
      name: "variables and arguments",
      code: body("return [process.env.HOME, process.env[input], process.argv[2], process.cwd()];"),
      errors: 4,
    },
    {
      name: "by import",
      code: body(
        "return [env.HOME, os.hostname(), cpus().length];",
        'import { env } from "node:process"; import os, { cpus } from "node:os";',
      ),
      errors: 3,
    },
    { name: "taken out outside", code: body("return env.HOME;", "const { env } = process;"), errors: environment },
    { name: "set", code: body("process.env.DONE = '1';"), errors: environment },
    { name: "what bundlers write", code: body("return import.meta.env.MODE;"), errors: environment },
    { name: "in a helper", code: body("return home();", "function home() { return process.env.HOME; }"), errors: environment },
  ],
});
