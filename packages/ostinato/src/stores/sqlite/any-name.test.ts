// Who takes any name costs a step in the index for each name that there is, however many rows one has.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { MIGRATIONS } from "../sql/schema.ts";
import { prepare } from "./statements.ts";

test("S4 the next name is found in the index of those who wait, at its place", () => {
  const db = new DatabaseSync(":memory:");
  for (const { statements } of MIGRATIONS) db.exec(statements);
  const { nextReadyName, nextReadyNameFrom, nextReadyEntity, nextUnclaimedName } = prepare(db);
  for (const [statement, plan] of [
    [nextReadyName, "SEARCH ready USING COVERING INDEX ready_by_name (hub=? AND name>?)"],
    [nextReadyNameFrom, "SEARCH ready USING COVERING INDEX ready_by_name (hub=? AND name>?)"],
    [nextReadyEntity, "SEARCH ready USING COVERING INDEX ready_by_name (hub=? AND name>? AND name<?)"],
    [nextUnclaimedName, "SEARCH activities USING INDEX activities_unclaimed (hub=? AND name>?)"],
  ] as const) {
    const rows = db.prepare(`explain query plan ${statement.sourceSQL}`).all(1, "");
    assert.deepEqual(
      rows.map((row) => row.detail),
      [plan],
    );
  }
  db.close();
});
