// What is counted and what operators read about it are the same.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createTestHub } from "../testing/test-hub.ts";
import { Counters, COUNTERS } from "./counters.ts";

const PAGE = new URL("../../../../docs/guide/operating-a-file.md", import.meta.url);

function tableOf(page: string): Map<string, string> {
  const part = /<!-- counters:[\s\S]*?<!-- \/counters -->/.exec(page)?.[0] ?? "";
  return new Map([...part.matchAll(/^\| `(\w+)` +\| (.*?) +\|$/gm)].map(([, name = "", meaning = ""]) => [name, meaning]));
}

test("O2 the page on operating a file has every counter with its meaning, and no other", async () => {
  const table = tableOf(readFileSync(PAGE, "utf8"));
  const hub = await createTestHub();
  const worker = await hub.startWorker({});
  const ofWorkers = Object.keys(worker.counters());
  await hub.close();
  for (const [name, meaning] of Object.entries(COUNTERS)) assert.equal(table.get(name), meaning, `the page's line on ${name}`);
  assert.deepEqual([...table.keys()].sort(), [...Object.keys(COUNTERS), ...ofWorkers].sort());
});

test("a counter that has counted nothing is not there", () => {
  const counters = new Counters();
  counters.add("turnsCommitted");
  counters.add("turnsCommitted", 2);
  assert.deepEqual(counters.read(), { turnsCommitted: 3 });
});
