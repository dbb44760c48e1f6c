// In a process of its own: the package that speaks to PostgreSQL is not there.
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import { openTaskHub } from "../index.ts";
import { migratePostgres } from "../postgres.ts";

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "pg") throw Object.assign(new Error("Cannot find package 'pg'"), { code: "ERR_MODULE_NOT_FOUND" });
    return next(specifier, context);
  },
});

test("without the package other hubs open, and PostgreSQL says what to install", async () => {
  await (await openTaskHub("memory:")).close();
  const refusal = { code: "UNSUPPORTED", message: /needs the package "pg": install it with `npm install pg`/ };
  await assert.rejects(openTaskHub("postgres://localhost/orders"), refusal);
  await assert.rejects(migratePostgres({ connectionString: "postgres://localhost/orders" }), refusal);
});
