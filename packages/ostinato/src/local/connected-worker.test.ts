// What a connected worker serves, and how much.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectedWorker } from "./connected-worker.ts";

const worker = (orchestratorVersions: Readonly<Record<string, readonly string[]>>): ConnectedWorker =>
  new ConnectedWorker(
    {
      orchestrators: "any",
      activities: [],
      entities: [],
      orchestratorVersions,
      maxConcurrentOrchestrations: 1,
      maxConcurrentActivities: 1,
      maxConcurrentEntities: 1,
      warmBytes: 0,
      warmIdleMs: 0,
    },
    () => undefined,
  );

test("a name that every object has by birth is a name like any other: no versions are asked of it that nobody has named", () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    assert.equal(worker({ greet: ["1.0"] }).serves(name, undefined), true, name);
    assert.equal(worker(Object.fromEntries([[name, ["1.0"]]])).serves(name, "1.0"), true, name);
    assert.equal(worker(Object.fromEntries([[name, ["1.0"]]])).serves(name, "2.0"), false, name);
  }
});
