import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { packedManifest } from "./pack.ts";

test("a packed package has the same doors, at dist, and nothing about developing", () => {
  const manifest = {
    name: "ostinato",
    version: "1.2.3",
    exports: { ".": "./src/index.ts", "./memory": "./src/memory.ts", "./package.json": "./package.json" },
    scripts: { prepack: "x" },
    devDependencies: { y: "1" },
  };
  deepEqual(packedManifest(manifest), {
    name: "ostinato",
    version: "1.2.3",
    exports: {
      ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
      "./memory": { types: "./dist/memory.d.ts", default: "./dist/memory.js" },
      "./package.json": "./package.json",
    },
  });
});

test("commands lead to dist as well, and what a package needs at run time stays", () => {
  const manifest = {
    name: "@ostinato/cli",
    version: "1.2.3",
    bin: { ostinato: "./src/bin.ts" },
    exports: { ".": "./src/index.ts" },
    dependencies: { ostinato: "1.2.3" },
  };
  deepEqual(packedManifest(manifest), {
    name: "@ostinato/cli",
    version: "1.2.3",
    bin: { ostinato: "dist/bin.js" },
    exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
    dependencies: { ostinato: "1.2.3" },
  });
});
