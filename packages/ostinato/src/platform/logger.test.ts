import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, lineOf, type LogRecord } from "./logger.ts";

test("lines below the level are dropped, the others reach the sink", () => {
  const seen: LogRecord[] = [];
  const log = createLogger({ sink: (record) => seen.push(record) });
  log.debug("a");
  log.info("b");
  log.warn("c", { n: 1 });
  log.error("d");
  assert.deepEqual(
    seen.map((record) => [record.level, record.message, record.fields]),
    [
      ["warn", "c", { n: 1 }],
      ["error", "d", {}],
    ],
  );
});

test("a sink that throws loses its own line only", () => {
  const log = createLogger({
    sink: () => {
      throw new Error("disk full");
    },
  });
  log.error("x");
});

test("a record is one line, whatever is in it", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  const line = lineOf({ level: "error", message: "two\nlines", fields: { name: "a", n: 2, error: new Error("boom"), cyclic } });
  assert.ok(!line.includes("\n"));
  assert.match(line, /^ostinato error: two \| lines \(name=a, n=2, error=Error: boom/);
});
