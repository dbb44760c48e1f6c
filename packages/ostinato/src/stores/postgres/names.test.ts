import assert from "node:assert/strict";
import { test } from "node:test";
import { checkHubName, checkSchemaName, quotedName } from "./names.ts";

test("schemas have names that nobody has to quote with care", () => {
  for (const name of ["ostinato", "Orders_2", "_mine", "a-b", "x".repeat(63)]) checkSchemaName(name);
  for (const name of ["", "2nd", "a b", 'a"b', "a;b", "a.b", "é", "pg_catalog", "PG_mine", "information_schema", "x".repeat(64), "a\0b"])
    assert.throws(() => checkSchemaName(name), { code: "INVALID_ARGUMENT", message: /schema name/ }, name);
});

test("hubs have names that can be stored and printed", () => {
  for (const name of ["default", "orders of Zürich", "a'b\"c; drop table x", "🎻"]) checkHubName(name);
  for (const name of ["", " ", "a\0b", "a\nb", "\ud800", "x".repeat(257)])
    assert.throws(() => checkHubName(name), { code: "INVALID_ARGUMENT", message: /name of the task hub/ }, name);
});

test("a quoted name is one name, whatever is in it", () => {
  assert.equal(quotedName("orders"), '"orders"');
  assert.equal(quotedName('a"; drop schema x; --'), '"a""; drop schema x; --"');
  assert.throws(() => quotedName("a\0"), { code: "INVALID_ARGUMENT" });
});
