import { deepEqual } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { tidy } from "./tidy.ts";
import type { House } from "./tidy/rooms.ts";
import { weightReport } from "./tidy/weight.ts";

const house = JSON.parse(readFileSync(join(import.meta.dirname, "..", "rooms.json"), "utf8")) as House;
const at = (path: string): string => `packages/ostinato/src/${path}`;

/** Findings of a tree given by paths inside src, or from the root when they begin with "/", as "path:line rule message". */
function findingsOf(files: Record<string, string>, only?: string): string[] {
  const tree = new Map(Object.entries(files).map(([path, text]) => [path.startsWith("/") ? path.slice(1) : at(path), text]));
  return tidy(tree, house)
    .filter(({ rule }) => (only === undefined ? rule !== "dead" : rule === only))
    .map(({ path, line, rule, message }) => `${path.replace(at(""), "")}${line === undefined ? "" : `:${line}`} ${rule}: ${message}`);
}

const messagesOf = (files: Record<string, string>, only?: string): string[] =>
  findingsOf(files, only).map((text) => text.replace(/^.*?: /, ""));

describe("rooms", () => {
  test("a room imports what the table says", () => {
    deepEqual(
      findingsOf({
        "engine/start.ts": `import { a } from "../contract/a.ts";\nimport { b } from "./b.ts";\nimport type { T } from "./t.ts";`,
        "executor/run.ts": `import { a } from "../authoring/a.ts";`,
        "testing/world.ts": `import { a } from "../engine/start.ts"; import { b } from "../stores/memory/store.ts";`,
        "index.ts": `export { a } from "./authoring/a.ts";`,
        "conformance/store/claims.ts": `import { openTaskHub } from "ostinato"; import { memory } from "../../memory.ts"; import type { Store } from "../../engine/store.ts";`,
      }),
      [],
    );
  });

  test("a refused import names the room and the remedy", () => {
    deepEqual(findingsOf({ "engine/start.ts": `\nimport { now } from "../platform/clock.ts";` }), [
      "engine/start.ts:2 rooms: engine may not import platform: ask for `now` as an argument",
    ]);
    deepEqual(messagesOf({ "executor/run.ts": `import type { T } from "../engine/commit.ts";` }), [
      "executor may not import engine: executor and engine never meet: speak through WorkItem and Outcome",
    ]);
    deepEqual(messagesOf({ "contract/a.ts": `export { b } from "../authoring/b.ts";` }), [
      "contract may not import authoring: contract imports nothing: move the word here, or take the value as an argument",
    ]);
    deepEqual(messagesOf({ "worker/w.ts": `const x = await import("../local/l.ts"); type T = import("../stores/sql/s.ts").T;` }), [
      "worker may not import local: ask the Backend",
      "worker may not import stores: ask the Backend",
    ]);
  });

  test("stores take types of two files of engine", () => {
    deepEqual(
      findingsOf({
        "stores/sql/w.ts": `import type { Commit } from "../../engine/commit.ts"; import { type Store } from "../../engine/store.ts";`,
      }),
      [],
    );
    deepEqual(findingsOf({ "stores/sql/w.ts": `import { draft } from "../../engine/commit.ts";` }).length, 1);
    deepEqual(findingsOf({ "stores/sql/w.ts": `import type { T } from "../../engine/control.ts";` }).length, 1);
  });

  test("nothing imports an entry file, by path or by name", () => {
    deepEqual(messagesOf({ "client/c.ts": `import { x } from "../index.ts";` }), [
      "client may not import an entry file: import from the room that it exposes",
    ]);
    deepEqual(messagesOf({ "client/c.ts": `import { x } from "ostinato/memory";` }), [
      "client may not import an entry file: import from the room that it exposes",
    ]);
    deepEqual(messagesOf({ "sqlite.ts": `export { x } from "./memory.ts";` }), [
      "nothing imports an entry file: import from the room that ./memory.ts exposes",
    ]);
  });

  test("tests walk in by any door", () => {
    deepEqual(findingsOf({ "engine/start.test.ts": `import { x } from "../executor/run.ts"; import fc from "fast-check";` }), []);
  });

  test("an unknown room, a foreign package and a path out of the package", () => {
    deepEqual(messagesOf({ "misc/x.ts": `export const x = 1;` }), [
      "there is no room misc: name it in rooms.json, with its doors, or find the room where this lives",
    ]);
    deepEqual(messagesOf({ "stores/postgres/p.ts": `import pg from "pg";` }), []);
    deepEqual(messagesOf({ "engine/x.ts": `import { z } from "zod";` }), [
      `"zod" is no part of ostinato, which has no runtime dependencies`,
    ]);
    deepEqual(messagesOf({ "engine/x.ts": `import { z } from "../../../../scripts/z.ts";` }), [
      "../../../../scripts/z.ts lies outside packages/ostinato/src: it would not be in the package",
    ]);
  });

  test("rooms do not go in a circle", () => {
    const free = { ...house, rooms: { a: { is: "", imports: ["*"], otherwise: "" }, b: { is: "", imports: ["*"], otherwise: "" } } };
    const tree = new Map([
      [at("a/x.ts"), `import { y } from "../b/y.ts";`],
      [at("b/y.ts"), `import { z } from "../a/z.ts";`],
    ]);
    const cycles = (given: Map<string, string>): string[] =>
      tidy(given, free)
        .filter((one) => one.rule === "cycles")
        .map((one) => one.message);
    deepEqual(cycles(tree), ["rooms go in a circle: a → b → a"]);
    deepEqual(cycles(new Map([...tree, [at("b/y.ts"), `import { z } from "./z.ts";`]])), []);
  });
});

describe("bans", () => {
  const said = (text: string, path = "engine/x.ts"): string[] =>
    findingsOf({ [path]: text }).map((one) => one.replace(/^\S+ (\w+): .*$/, "$1"));

  test("names of the world are refused in a room that has none for them", () => {
    deepEqual(said(`const a = Date.now();\nconst b = new Date();\nconst c = Date();`), ["date", "date", "date"]);
    deepEqual(
      said(
        `setTimeout(f, 1); setInterval(f, 1); const s = setImmediate; globalThis.setTimeout(f, 1); AbortSignal.timeout(1); performance.now();`,
      ).length,
      6,
    );
    deepEqual(said(`const a = Math.random(), b = crypto.randomUUID(), c = { crypto };`), ["random", "random", "random"]);
    deepEqual(said(`process.nextTick(f); console.log(1); fetch("x");`), ["process", "console", "network"]);
    deepEqual(said(`import { x } from "node:fs";\nimport { setTimeout as wait } from "node:timers/promises";`), ["node", "timers"]);
    deepEqual(findingsOf({ "local/d.ts": `const t = Date.now();` }), [
      "local/d.ts:1 date: local may not name the clock by Date: take the time as an argument; hands ask the clock of platform they were given",
    ]);
  });

  test("values, types, properties and names of one's own are not the world", () => {
    deepEqual(said(`const a = new Date(5), b = x instanceof Date, c = Date.UTC(2020), d = Date.prototype; let e: Date; Math.max(1);`), []);
    deepEqual(said(`clock.setTimeout(f); const o = { process: 1, console: 2 }; interface C { setTimeout(): void; process: number }`), []);
    deepEqual(said(`function run(process: () => void) { process(); } type P = typeof x.process;`), []);
    deepEqual(said(`// Date.now()\nconst s = "setTimeout";`), []);
  });

  test("platform and stores may; tests may, but do not sleep; conformance has node:test", () => {
    deepEqual(said(`export const now = () => Date.now(); setTimeout(f, 1); process.exit();`, "platform/clock.ts"), []);
    deepEqual(said(`import { DatabaseSync } from "node:sqlite";`, "stores/sqlite/s.ts"), []);
    deepEqual(said(`import { test } from "node:test"; const t = Date.now(); console.log(t);`, "engine/x.test.ts"), []);
    deepEqual(said(`await new Promise((done) => setTimeout(done, 5));`, "engine/x.test.ts"), ["timers"]);
    deepEqual(said(`import { test } from "node:test"; import { readFileSync } from "node:fs";`, "conformance/store/claims.ts"), ["node"]);
  });

  test("an exemption stands on its line, with a sentence, and excuses something", () => {
    deepEqual(said(`const t = Date.now(); // tidy: allow date because this is the only reading.`), []);
    deepEqual(said(`// tidy: allow date because this is the only reading.\nconst t = Date.now();`), []);
    deepEqual(messagesOf({ "engine/x.ts": `const t = Date.now(); // tidy: allow date` }), [
      `"// tidy: allow date" needs a reason: ... because <sentence>`,
    ]);
    deepEqual(said(`const t = Date.now(); // tidy: allow timers because of another matter.`), ["date", "exemptions"]);
    deepEqual(messagesOf({ "engine/x.ts": `const t = 1; // tidy: allow date because once it was needed.` }), [
      `there is no "date" to allow here: remove the exemption`,
    ]);
  });
});

describe("shape", () => {
  const long = "export const x = 1;\n".repeat(61);

  test("a long file has a card on the door", () => {
    deepEqual(findingsOf({ "engine/x.ts": long }, "card").length, 1);
    deepEqual(
      findingsOf({ "engine/x.ts": `// x: what it is\n${long}`, "engine/y.ts": "export const y = 1;\n", "engine/x.test.ts": long }, "card"),
      [],
    );
  });

  test("names say something", () => {
    deepEqual(messagesOf({ "engine/turn-utils.ts": "", "/scripts/helpers/x.ts": "" }, "names"), [
      `"utils" in a name says nothing: name the idea`,
      `"helpers" in a name says nothing: name the idea`,
    ]);
    deepEqual(findingsOf({ "authoring/define.types.test.ts": "", "engine/database.ts": "" }, "names"), []);
  });

  test("forms that we leave out", () => {
    deepEqual(messagesOf({ "/examples/a/main.ts": `export default 1;` }), [
      "no default exports: a thing has one name, the same everywhere",
    ]);
    deepEqual(
      messagesOf({
        "engine/x.ts": `export default function f() {}\nexport enum E { A }\nnamespace N {}\nexport * from "./y.ts";\nexport * as z from "./z.ts";`,
      }).length,
      5,
    );
    deepEqual(
      findingsOf({ "engine/x.ts": `export { a } from "./a.ts";\nexport type { B } from "./b.ts";\ndeclare global { interface X {} }` }),
      [],
    );
  });
});

describe("pointers", () => {
  test("a path in a comment or a page leads somewhere", () => {
    deepEqual(findingsOf({ "engine/x.ts": `const a = 1;\n/* as in\n   engine/gone.ts */` }), [
      "engine/x.ts:3 pointer: engine/gone.ts leads nowhere: correct it, or say what it said in words",
    ]);
    deepEqual(findingsOf({ "/docs/guide.md": "See [it](../docs/other.md) and `engine/gone.ts`." }).length, 2);
  });

  test("names from where one stands, addresses, patterns and the user's own files are fine", () => {
    deepEqual(
      findingsOf({
        "engine/x.ts": `// engine/x.ts, ./x.ts, src/engine/x.ts, packages/*/src/gone.ts, https://example.com/a/b.json\nconst a = "no/such.ts";`,
        "/docs/guide.md": "`engine/x.ts`\n```ts\n// in your src/orders.ts\n```\n",
      }),
      [],
    );
    deepEqual(findingsOf({ "/docs/guide.md": "Your src/orders.ts <!-- tidy: allow pointer because it is the reader's own file. -->" }), []);
  });
});

describe("files and packages", () => {
  test("a file that nobody reaches is dead", () => {
    const files = {
      "index.ts": `export { a } from "./authoring/a.ts";`,
      "authoring/a.ts": `const worker = new URL("./thread.ts", import.meta.url); const l = await import("../local/l.ts");`,
      "authoring/thread.ts": "",
      "local/l.ts": "",
      "engine/x.test.ts": `import "./only-tested.ts";`,
      "engine/only-tested.ts": "",
      "engine/named.ts": "",
      "/docs/guide.md": "See `engine/named.ts`.",
    };
    deepEqual(findingsOf(files, "dead"), []);
    deepEqual(
      findingsOf({ ...files, "engine/p.ts": `import "./q.ts";`, "engine/q.ts": `import "./p.ts";` }, "dead").map(
        (one) => one.split(" ")[0],
      ),
      ["engine/p.ts", "engine/q.ts"],
    );
  });

  test("packages promise doors in src, no dependencies or exact ones, and one version; the lock file names no hosts", () => {
    const manifest = (value: object): Record<string, string> => ({
      "/packages/ostinato/package.json": JSON.stringify(value),
      "index.ts": "",
    });
    deepEqual(
      findingsOf(manifest({ exports: { ".": "./src/index.ts", "./package.json": "./package.json" }, devDependencies: { x: "1" } })),
      [],
    );
    deepEqual(messagesOf(manifest({ name: "ostinato", dependencies: { x: "1" } })), [
      "ostinato has no runtime dependencies, but names x: write what you need of it, or match its shape",
    ]);
    deepEqual(findingsOf(manifest({ exports: { ".": "./dist/index.js", "./memory": "./src/memory.ts" } }), "doors").length, 2);
    const cli = (value: object): Record<string, string> => ({
      "/packages/ostinato/package.json": JSON.stringify({ name: "ostinato", version: "1.2.3" }),
      "/packages/cli/package.json": JSON.stringify({ name: "@ostinato/cli", version: "1.2.3", ...value }),
      "/packages/cli/src/bin.ts": "",
    });
    deepEqual(findingsOf(cli({ bin: { ostinato: "./src/bin.ts" }, dependencies: { ostinato: "1.2.3", commander: "15.1.0" } })), []);
    deepEqual(messagesOf(cli({ bin: { ostinato: "./dist/bin.js" }, dependencies: { ostinato: "^1.0.0", commander: "^15.0.0" } })), [
      "@ostinato/cli needs ostinato ^1.0.0: all packages share one version, so write 1.2.3",
      "@ostinato/cli needs commander ^15.0.0: name one exact version",
      "ostinato must lead to a file of src/ in the repository: packing rewrites it",
    ]);
    deepEqual(messagesOf({ ...cli({}), "/.changeset/config.json": `{"fixed": [["ostinato"]]}` }), [
      "@ostinato/cli is missing in the fixed group: all packages share one version",
    ]);
    deepEqual(findingsOf({ "/package-lock.json": `{\n"resolved": "https://example.com/x.tgz"}` }, "lock").length, 1);
    deepEqual(findingsOf({ "/package-lock.json": `{\n"resolved": "packages/ostinato", "link": true}` }, "lock"), []);
  });
});

test("weight: rooms, files and functions, the largest first", () => {
  const report = weightReport(
    new Map([
      [at("engine/x.ts"), "export function f() {\n  return 1;\n}\n"],
      [at("local/y.ts"), "export const y = 1;\n"],
    ]),
    house,
  );
  deepEqual(
    report.split("\n").map((line) => line.trim().replace(/\s+/g, " ")),
    [
      "Rooms",
      "3 engine",
      "1 local",
      "",
      "Largest files",
      "3 packages/ostinato/src/engine/x.ts",
      "1 packages/ostinato/src/local/y.ts",
      "",
      "Largest functions",
      "3 packages/ostinato/src/engine/x.ts:1 f",
      "",
    ],
  );
});
