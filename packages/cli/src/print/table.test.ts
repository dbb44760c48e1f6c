import assert from "node:assert/strict";
import { test } from "node:test";
import { tableLines } from "./table.ts";

const columns = [
  { heading: "ID", cell: (row: { id: string; note: string }) => row.id, paint: (text: string) => `<${text}>` },
  { heading: "NOTE", cell: (row: { id: string; note: string }) => row.note },
];
const heading = (text: string): string => text;

test("columns are as wide as what is in them, colour not counted", () => {
  const rows = [
    { id: "a", note: "first" },
    { id: "longer-id", note: "" },
  ];
  assert.deepEqual(tableLines(rows, columns, { heading }), ["ID         NOTE", "<a>          first", "<longer-id>"]);
});

test("on a terminal the last column gives way; without one nothing is cut", () => {
  const rows = [{ id: "a", note: "x".repeat(50) }];
  assert.equal(tableLines(rows, columns, { heading, columns: 24 })[1]?.length, 24 + 2);
  assert.ok(tableLines(rows, columns, { heading })[1]?.endsWith("x".repeat(50)));
});
