// Stories of documents: written and read back, and what is said of those that cannot be read.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type HistoryDocument, readDocument, withoutPayloads, writeDocument } from "./document.ts";

const at = Date.UTC(2026, 0, 1);
const document: HistoryDocument = {
  format: 1,
  instance: {
    id: "ü/🎹",
    name: "play",
    executionId: "e",
    status: "COMPLETED",
    createdAt: at,
    updatedAt: at,
    completedAt: at,
    tags: { a: "b" },
  },
  payloads: "kept",
  events: [
    { kind: "OrchestratorStarted", eventId: -1, timestamp: at },
    {
      kind: "ExecutionStarted",
      eventId: -1,
      timestamp: at,
      instanceId: "ü/🎹",
      executionId: "e",
      name: "play",
      input: '"two\\nlines"',
      carriedEvents: [{ kind: "EventRaised", eventId: -1, timestamp: at, name: "card", input: '"4111"' }],
    },
    { kind: "TaskScheduled", eventId: 1, timestamp: at, name: "note", input: "" },
    { kind: "TaskFailed", eventId: -1, timestamp: at, taskScheduledId: 1, failure: { errorType: "Error", message: "a message" } },
    { kind: "ExecutionCompleted", eventId: -1, timestamp: at, status: "COMPLETED", result: "[1,2]" },
  ],
};

describe("a document", () => {
  for (const format of ["json", "jsonl"] as const) {
    test(`comes back as it was, as ${format}`, () => {
      assert.deepEqual(readDocument(writeDocument(document, format), format, "f"), document);
    });

    test(`that is torn is noticed wherever it was torn, as ${format}`, () => {
      const text = writeDocument(document, format);
      for (let length = 0; length < text.length - 1; length++) {
        assert.throws(() => readDocument(text.slice(0, length), format, "torn.x"), {
          code: "HISTORY_FORMAT",
          file: "torn.x",
          message: /^The history file 'torn\.x' cannot be read: /,
        });
      }
    });
  }

  test("has a line for each event, as jsonl", () => {
    assert.equal(writeDocument(document, "jsonl").split("\n").length, document.events.length + 2);
  });

  test("of a newer format is refused with that reason", () => {
    const newer = JSON.stringify({ format: 2, whatever: "it holds" });
    for (const format of ["json", "jsonl"] as const)
      assert.throws(
        () => readDocument(newer, format, "new"),
        /'new' was written by a newer version: its format is 2, and this version reads formats up to 1/,
      );
  });

  test("that holds something else says what", () => {
    const changed = (change: object): string => JSON.stringify({ ...document, eventCount: document.events.length, ...change });
    const cases: [string, RegExp][] = [
      ["[]", /no history that was exported/],
      ['{"format":"1"}', /no history that was exported/],
      [changed({ instance: { id: 5 } }), /which instance/],
      [changed({ payloads: undefined }), /whether its payloads were kept/],
      [changed({ events: "none" }), /no events/],
      [changed({ eventCount: 9 }), /5 events of 9; the rest is missing/],
      [changed({ events: [...document.events.slice(1), { kind: "Toast", eventId: 1, timestamp: 1 }] }), /event number 5 is none/],
      [changed({ events: [...document.events.slice(1), { kind: "toString", eventId: 1, timestamp: 1 }] }), /event number 5 is none/],
    ];
    for (const [text, message] of cases) assert.throws(() => readDocument(text, "json", "f"), message);
  });

  test("without payloads holds none of them, and says so; names and failures stay", () => {
    const omitted = withoutPayloads(document);
    assert.equal(omitted.payloads, "omitted");
    const text = writeDocument(omitted, "jsonl");
    for (const secret of ["two", "4111", "[1,2]"]) assert.ok(!text.includes(secret), secret);
    assert.ok(text.includes("a message") && text.includes("note"));
    assert.deepEqual(omitted.events[2], { ...document.events[2], input: "(omitted: 0 characters)" });
    assert.deepEqual(readDocument(text, "jsonl", "f"), omitted);
    assert.equal(writeDocument(document, "json").includes("4111"), true);
  });
});
