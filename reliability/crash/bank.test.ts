// The bank in small: no kill of a process, but its death in this one, at a commit in the middle of everything; again and again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestHub } from "ostinato/testing";
import { seededRandom } from "../../packages/ostinato/src/platform/random.ts";
import { account, accountKeys, audit, entities, OPENING_BALANCE, orchestrators, transfer, transferOf } from "./bank-programs.ts";
import { bankCampaign } from "./bank.ts";
import { written } from "./tally.ts";

const TRANSFERS = 200;
const SEED = 20;

test("E1 E2 E4 two hundred transfers, the process dying every dozen commits: no money comes or goes, and no lock is left", async () => {
  const random = seededRandom(SEED);
  const keys = accountKeys(10);
  await using hub = await createTestHub({ orchestrators, entities, limits: { maxClaims: 10_000 } });
  let crashes = 0;
  let isOver = false;
  const dying = (async () => {
    while (!isOver) {
      const at = hub.commits + 1 + Math.floor(random.fraction() * 24);
      hub.failAt(at - hub.commits, random.fraction() < 0.5 ? "crash-before" : "crash-after");
      crashes++;
      while (!isOver && hub.commits < at) await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const instances = await Promise.all(
    Array.from({ length: TRANSFERS }, (_, n) => hub.start(transfer, transferOf(SEED, n, keys), { instanceId: `transfer-${n}` })),
  );
  const audits = await Promise.all([1, 2, 3].map((n) => hub.start(audit, keys, { instanceId: `audit-${n}` })));
  const outputs = await Promise.all(instances.map((instance) => instance.result()));
  for (const each of audits) assert.equal(await each.result(), keys.length * OPENING_BALANCE, `seed ${SEED}`);
  isOver = true;
  await dying;
  await hub.clock.advance("10m");

  const done = outputs.filter((output) => output === "done").length;
  assert.ok(done > 0 && done < TRANSFERS, "some are refused, and some are not");
  assert.ok(crashes > 10, `the process died ${crashes} times`);
  let sum = 0;
  let moves = 0;
  for await (const { key, state, lockedBy, backlogQueueSize } of hub.entities({ entity: account, includeTransient: true })) {
    sum += state?.balance ?? OPENING_BALANCE;
    moves += state?.moves ?? 0;
    assert.deepEqual([lockedBy, backlogQueueSize], [undefined, 0], key);
  }
  assert.equal(sum, keys.length * OPENING_BALANCE, `seed ${SEED}`);
  assert.equal(moves, 2 * done, `seed ${SEED}`);
  assert.equal((await hub.cleanEntityStorage()).orphanedLocksReleased, 0);
});

test("E1 E4 a process that makes transfers is killed four times, and the money is there", async () => {
  const report = await bankCampaign({ transfers: 300, accounts: 20, seed: 5, mostKills: 4 });
  assert.deepEqual(report.violations, [], written(report));
});
