// How queries find their rows: SQLite says which way it goes.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { it } from "node:test";
import type { InstanceFilter } from "../../contract/queries.ts";
import { MIGRATIONS } from "../sql/schema.ts";
import { selectionOf } from "./reading.ts";

it("a part of a query goes along numbers in order, in the narrowest index there is, and never looks at a whole hub", () => {
  const db = new DatabaseSync(":memory:");
  for (const { statements } of MIGRATIONS) db.exec(statements);
  const wayOf = (filter: InstanceFilter, until?: number): string => {
    const { selection, values } = selectionOf(filter, 1, 0, until);
    const plan = db.prepare(`explain query plan select name from instances i ${selection} order by number limit 1`).all(...values);
    const way = plan.map((row) => String(row["detail"])).join("; ");
    assert.doesNotMatch(way, /TEMP B-TREE/, JSON.stringify(filter));
    return way;
  };
  const NUMBERS = /^SEARCH i USING INTEGER PRIMARY KEY \(rowid>\?/;
  const ways: [InstanceFilter, RegExp][] = [
    [{}, NUMBERS],
    [{ kind: "orchestration" }, NUMBERS],
    [{ kind: "orchestration", status: ["COMPLETED"], completedFrom: 1, completedTo: 2 }, NUMBERS],
    [{ name: "n", idPrefix: "i", createdFrom: 1, updatedTo: 1, tags: { a: "b" } }, NUMBERS],
    [{ hasState: true, locked: false, stalled: false }, NUMBERS],
    [{ kind: "orchestration", status: ["RUNNING"] }, /instances_unfinished \(hub=\? AND number>\?/],
    [{ kind: "orchestration", stalled: true }, /instances_stalled \(hub=\? AND number>\?/],
    [{ kind: "orchestration", parent: "p" }, /instances_by_parent \(hub=\? AND parent_id=\? AND rowid>\?/],
    [{ kind: "entity" }, /instances_entities \(hub=\? AND number>\?/],
    [{ kind: "entity", name: "@e", hasState: false, locked: true, updatedFrom: 1 }, /instances_entities \(hub=\? AND number>\?/],
  ];
  for (const [filter, way] of ways) {
    assert.match(wayOf(filter), way, JSON.stringify(filter));
    assert.match(wayOf(filter, 20_000), way, JSON.stringify(filter));
  }
  db.close();
});
