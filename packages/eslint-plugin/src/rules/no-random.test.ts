import { body, testRule } from "../../test/rule-tester.ts";
import { noRandom } from "./no-random.ts";

const random = [{ messageId: "random" }];

testRule("no-random", noRandom, {
  valid: [
    { name: "the context's ids", code: body("return ctx.newGuid();") },
    {
      name: "Math without chance, and hashes",
      code: body('return Math.max(1, 2) + createHash("sha256").digest("hex");', 'import { createHash } from "node:crypto";'),
    },
    { name: "ids made from a name", code: body('return v5("a", ns);', 'import { v5 } from "uuid"; const ns = "";') },
    { name: "in an activity", code: `import { activity } from "ostinato"; activity("a", () => crypto.randomUUID());` },
    { name: "a crypto of the file's own", code: body("return crypto.randomUUID();", 'import { crypto } from "./mine.js";') },
    { name: "nanoid as a type of the file's own", code: body("return nanoid();", "const nanoid = () => 'same';") },
  ],
  invalid: [
    { name: "Math.random, also as a function", code: body("return [Math.random(), input.sort(Math.random)];"), errors: 2 },
    { name: "an id", code: body("return crypto.randomUUID();"), errors: random, output: body("return ctx.newGuid();") },
    {
      name: "an id from Node, by its own name",
      code: body("return id();", 'import { randomUUID as id } from "node:crypto";'),
      errors: random,
      output: body("return ctx.newGuid();", 'import { randomUUID as id } from "node:crypto";'),
    },
    {
      name: "uuid",
      code: body("return v4();", 'import { v4 } from "uuid";'),
      errors: [
        {
          messageId: "random",
          suggestions: [{ messageId: "useContext", output: body("return ctx.newGuid();", 'import { v4 } from "uuid";') }],
        },
      ],
    },
    {
      name: "nanoid with a length has no twin in the context",
      code: body("return nanoid(8);", 'import { nanoid } from "nanoid";'),
      errors: random,
    },
    {
      name: "bytes",
      code: body("return crypto.getRandomValues(new Uint8Array(4)) + c.randomBytes(4);", 'import * as c from "crypto";'),
      errors: 2,
    },
    {
      name: "a module of yours",
      code: body("return lot();", 'import { lot } from "./lots.js";'),
      options: [{ modules: ["./lots.js"] }],
      errors: random,
    },
  ],
});
