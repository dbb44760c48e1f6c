import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHubUrl } from "./hub-url.ts";

test("a URL names a task hub", () => {
  assert.deepEqual(parseHubUrl("memory:"), { scheme: "memory" });
  assert.deepEqual(parseHubUrl("sqlite:orders.db"), { scheme: "sqlite", path: "orders.db", hub: undefined });
  assert.deepEqual(parseHubUrl("sqlite:/srv/data/orders.db?hub=billing"), {
    scheme: "sqlite",
    path: "/srv/data/orders.db",
    hub: "billing",
  });
  assert.deepEqual(parseHubUrl("SQLite:C:\\data\\orders.db"), { scheme: "sqlite", path: "C:\\data\\orders.db", hub: undefined });
});

test("an address of the protocol is left to whoever speaks it", () => {
  for (const address of [
    "grpc://localhost:4001",
    "GRPCS://hub.example.net?taskhub=orders",
    "TaskHub=t;Endpoint=https://x;Authentication=None",
  ])
    assert.deepEqual(parseHubUrl(address), { scheme: "remote", address });
});

test("what cannot be opened is said with what can", () => {
  const refusals: [string | undefined, string, RegExp][] = [
    [undefined, "INVALID_ARGUMENT", /OSTINATO_URL/],
    ["", "INVALID_ARGUMENT", /OSTINATO_URL/],
    ["orders.db", "INVALID_ARGUMENT", /sqlite:<file>/],
    ["mysql://u:secret@host/db", "INVALID_ARGUMENT", /mysql/],
    ["memory:shared", "INVALID_ARGUMENT", /no name/],
    ["sqlite:", "INVALID_ARGUMENT", /names no file/],
    ["sqlite::memory:", "INVALID_ARGUMENT", /"memory:"/],
    ["sqlite://orders.db", "INVALID_ARGUMENT", /slashes/],
    ["sqlite:orders.db?mode=ro", "INVALID_ARGUMENT", /"mode"/],
    ["sqlite:orders.db?hub=", "INVALID_ARGUMENT", /empty hub name/],
    ["postgres://localhost/orders", "UNSUPPORTED", /PostgreSQL/],
    ["dapr://localhost:50001", "UNSUPPORTED", /Dapr/],
  ];
  for (const [url, code, message] of refusals) assert.throws(() => parseHubUrl(url), { code, message }, url);
});

test("a refusal never repeats a password", () => {
  for (const url of ["mysql://u:secret@host/db", "postgres://u:secret@host/db"]) {
    assert.throws(
      () => parseHubUrl(url),
      (error: Error) => !error.message.includes("secret"),
    );
  }
});
