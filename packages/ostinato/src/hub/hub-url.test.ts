import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutPassword } from "../contract/without-password.ts";
import { parseHubUrl, type HubAddress } from "./hub-url.ts";

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

test("a URL of PostgreSQL says which hub and schema; the rest is the driver's, to the letter", () => {
  const read = (url: string): unknown[] => {
    const { scheme, connectionString, hub, schema } = parseHubUrl(url) as Extract<HubAddress, { scheme: "postgres" }>;
    assert.equal(scheme, "postgres");
    return [connectionString, hub, schema];
  };
  assert.deepEqual(read("postgres://localhost/orders"), ["postgres://localhost/orders", undefined, undefined]);
  assert.deepEqual(read("postgresql://u:p%40ss@db:5433/orders?sslmode=require&hub=billing&schema=jobs&application_name=a%20b"), [
    "postgres://u:p%40ss@db:5433/orders?sslmode=require&application_name=a%20b",
    "billing",
    "jobs",
  ]);
  assert.deepEqual(read("postgres:///orders?host=/var/run/postgresql&hub=one+%C3%BC"), [
    "postgres:///orders?host=/var/run/postgresql",
    "one ü",
    undefined,
  ]);
  assert.deepEqual(read("postgres:?hub=x"), [undefined, "x", undefined], "a pool of the caller's own leads there");
});

test("a URL is shown without what is secret in it", () => {
  for (const [url, shown] of [
    ["postgres://ada:s3cret@db/orders?hub=x", "postgres://ada:***@db/orders?hub=x"],
    ["postgres://ada:s3@/cr:et@db/orders", "postgres://ada:***@db/orders"],
    ["postgres://db/orders?user=ada&password=s3cret&hub=x", "postgres://db/orders?user=ada&password=***&hub=x"],
    ["grpcs://db:4001?token=s3cret", "grpcs://db:4001?token=***"],
    ["sqlite:orders.db?hub=x", "sqlite:orders.db?hub=x"],
    ["postgres://db:5432/orders", "postgres://db:5432/orders"],
  ] as const)
    assert.equal(withoutPassword(url), shown);
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
    ["postgres:orders", "INVALID_ARGUMENT", /leads to no database/],
    ["postgres://", "INVALID_ARGUMENT", /leads to no database/],
    ["postgres://db/orders?hub=", "INVALID_ARGUMENT", /empty hub name/],
    ["postgres://db/orders?schema=a&schema=b", "INVALID_ARGUMENT", /"schema" twice/],
    ["postgres://db/orders?hub=100%", "INVALID_ARGUMENT", /write %25/],
    ["dapr://localhost:50001", "UNSUPPORTED", /Dapr/],
  ];
  for (const [url, code, message] of refusals) assert.throws(() => parseHubUrl(url), { code, message }, url);
});

test("a refusal never repeats a password", () => {
  for (const url of [
    "mysql://u:secret@host/db",
    "postgres://u:secret@host/db?hub=",
    "postgres:u:secret@host",
    "postgres://host/db?password=secret&hub=",
  ]) {
    assert.throws(
      () => parseHubUrl(url),
      (error: Error) => !error.message.includes("secret"),
    );
  }
});
