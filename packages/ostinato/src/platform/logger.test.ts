import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, jsonLineOf, lineOf, loggerOptionsOf, type LogRecord } from "./logger.ts";

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

test("an error is told with what had led to it, in both forms", () => {
  const error = new Error("could not write", { cause: Object.assign(new Error("disk full"), { code: "ENOSPC" }) });
  const record: LogRecord = { level: "error", message: "a turn failed", fields: { instanceId: "po-17", error } };
  assert.match(lineOf(record), /instanceId=po-17, error=Error: could not write.*caused by Error: disk full/);
  const parsed = JSON.parse(jsonLineOf(record)) as Record<string, unknown> & { error: { cause: { code: string } } };
  assert.equal(parsed["level"], "error");
  assert.equal(parsed["message"], "a turn failed");
  assert.equal(parsed["instanceId"], "po-17");
  assert.equal(parsed.error.cause.code, "ENOSPC");
  assert.ok(!Number.isNaN(Date.parse(parsed["time"] as string)));
});

test("a JSON line is one line of JSON, whatever is in it", () => {
  const cyclic: Record<string, unknown> = { n: 1n };
  cyclic["self"] = cyclic;
  const error = new Error("round");
  error.cause = error;
  const hostile = { toJSON: () => { throw new Error("no"); } }; // prettier-ignore
  for (const fields of [{ cyclic }, { error }, { hostile }, { message: "not this", level: "nor this" }]) {
    const line = jsonLineOf({ level: "info", message: "two\nlines", fields });
    assert.ok(!line.includes("\n"));
    assert.equal((JSON.parse(line) as Record<string, unknown>)["message"], "two\nlines");
  }
});

test("a variable of the environment says level and form; words that mean nothing are passed over", () => {
  assert.deepEqual(loggerOptionsOf("debug,json"), { level: "debug", format: "json" });
  assert.deepEqual(loggerOptionsOf("INFO"), { level: "info" });
  assert.deepEqual(loggerOptionsOf("json silent"), { level: "silent", format: "json" });
  assert.deepEqual(loggerOptionsOf("loud, constructor"), {});
  assert.deepEqual(loggerOptionsOf(undefined), {});
});
