// The backend conformance kit on SQLite: on files, on the machine's time, with processes that end without a goodbye.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backendConformance } from "../src/conformance/backend/index.ts";
import { openSqliteStore } from "../src/stores/sqlite/sqlite-store.ts";
import { mortalHub } from "./mortal-hub.ts";

backendConformance("sqlite", (request) => {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-"));
  const path = join(folder, "hub.db");
  return mortalHub(
    { connect: () => openSqliteStore({ path, body: "inline" }), dispose: () => rmSync(folder, { recursive: true, force: true }) },
    request,
  );
});
