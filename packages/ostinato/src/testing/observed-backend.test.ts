import assert from "node:assert/strict";
import { test } from "node:test";
import type { Backend } from "../contract/backend.ts";
import type { WorkItem } from "../contract/work-items.ts";
import { observedBackend } from "./observed-backend.ts";
import { createQuiet } from "./quiet.ts";

test("what a process had read when it died comes to nobody, and nothing is under way for ever", async () => {
  let handOut: (items: readonly WorkItem[]) => void = () => undefined;
  const body = {
    connectWorker: (_interest: unknown, deliver: typeof handOut) => {
      handOut = deliver;
      return Promise.resolve({});
    },
  } as unknown as Backend;
  const quiet = createQuiet();
  const { backend, end } = observedBackend(body, quiet);
  const came: WorkItem[] = [];
  const interest = {} as Parameters<Backend["connectWorker"]>[0];
  await backend.connectWorker(interest, (items) => void came.push(...items));
  const item: WorkItem = { kind: "entity", token: "t1", entityId: "@counter@a", operations: [] };
  handOut([item]);
  end();
  await quiet.quiet();
  handOut([{ ...item, token: "t2" }]);
  await quiet.quiet();
  assert.deepEqual(came, [item]);
});
