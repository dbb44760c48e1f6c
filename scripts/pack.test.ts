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
