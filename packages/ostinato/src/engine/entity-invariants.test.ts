// What no commit about an entity may say, whoever made it.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ADA,
  batchEnd,
  entityRecord,
  EPOCH,
  holding,
  ID,
  lockedBy,
  lockOf,
  NUMBER,
  outcome,
  RULES,
  runs,
  signal,
  succeeded,
} from "../../test/entity-story.ts";
import { running } from "../../test/engine-story.ts";
import type { EntityOperationSignaled } from "../contract/events.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import { closeEntityBatch } from "./close-entity-batch.ts";
import { EMPTY_COMMIT, type Commit } from "./commit.ts";
import { decideResume } from "./control.ts";
import { operationMessage } from "./entity-messages.ts";
import { checkClaim, checkCommit } from "./invariants.ts";
import { openEntity } from "./open-entity.ts";

const LEASE = { number: NUMBER, epoch: EPOCH };
const fences = [{ kind: "instance", ...LEASE }] as const;
const batch = runs(openEntity(holding(entityRecord(), signal("one")), 300, RULES));
const commit = closeEntityBatch(LEASE, batch, outcome([succeeded()], { state: "1" }), batchEnd());
const withRecord = (more: Partial<InstanceRecord>): Commit => ({ ...commit, record: { ...commit.record!, ...more } });

test("a batch is sound", () => {
  assert.equal(checkCommit(commit), undefined);
});

test("E5 an entity is held exactly while it is locked", () => {
  assert.match(checkCommit(withRecord({ held: true })) ?? "", /^E5 .* held and not locked/);
  assert.match(checkCommit(withRecord({ lockedBy: lockOf(ADA) })) ?? "", /^E5 .* locked and not held/);
  const claim = { number: NUMBER, id: ID, epoch: EPOCH, attempts: 1, messages: [], held: false };
  assert.equal(checkClaim({ ...claim, record: lockedBy(ADA) }), undefined);
  assert.match(checkClaim({ ...claim, record: entityRecord({ held: true }) }) ?? "", /^E5/);
});

test("E4 what has ended has no sections, and no orchestration is locked", () => {
  const ended = running({ status: "COMPLETED", completedAt: 1 });
  const sections = [{ id: "s", lockSet: [ID], granted: true }];
  const of = (record: InstanceRecord): Commit => ({
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: record.number, epoch: record.epoch }],
    number: record.number,
    record,
  });
  assert.match(checkCommit(of({ ...ended, sections })) ?? "", /^E4 .* still has critical sections/);
  assert.equal(checkCommit(of(running({ sections }))), undefined);
  assert.match(checkCommit(of(running({ lockedBy: lockOf(ADA) }))) ?? "", /is locked, as entities are/);
});

test("an entity has no history, no activities, no end, and the names that belong to its id", () => {
  assert.match(checkCommit({ ...commit, history: { mode: "append", events: [] } }) ?? "", /is given a history/);
  assert.match(checkCommit(withRecord({ status: "COMPLETED" })) ?? "", /^H4/);
  assert.match(checkCommit(withRecord({ name: "@other" })) ?? "", /the record of something else/);
  assert.match(checkCommit(withRecord({ sections: [] })) ?? "", /has critical sections/);
  assert.match(checkCommit({ ...commit, drop: { execution: ID, generation: 1 } }) ?? "", /^E6/);
  const given = {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: 7, epoch: 3 }],
    number: 7,
    record: running(),
    payloads: { state: "1" },
  } as const;
  assert.match(checkCommit(given) ?? "", /is no entity/);
});

test("E6 cleaning up writes nothing besides", () => {
  assert.equal(checkCommit({ ...EMPTY_COMMIT, fences, number: NUMBER, drop: "if-idle" }), undefined);
  assert.match(checkCommit({ ...EMPTY_COMMIT, fences, number: NUMBER, drop: "if-idle", keep: true }) ?? "", /^C5/);
  assert.match(checkCommit({ ...commit, drop: "if-idle" }) ?? "", /^E6/);
});

test("what makes an entity is for it, and makes it as it is before it has done anything", () => {
  const event: EntityOperationSignaled = {
    kind: "EntityOperationSignaled",
    eventId: -1,
    timestamp: 1,
    entityId: ID,
    requestId: "r",
    operation: "add",
  };
  const message = operationMessage("m", event, 100, { fromOwner: false, needs: "program" });
  const sent = (more: Partial<typeof message>): string | undefined => checkCommit({ ...EMPTY_COMMIT, messages: [{ ...message, ...more }] });
  assert.equal(sent({}), undefined);
  assert.match(sent({ to: "@counter@b" }) ?? "", /makes the entity/);
  assert.match(sent({ event: { kind: "EventRaised", eventId: -1, timestamp: 1, name: "e" } }) ?? "", /is none for it/);
  assert.match(sent({ creates: { ...message.creates!, payloads: { state: "1" } } }) ?? "", /has done something/);
});

test("resuming an entity takes the mark away and lets it be tried at once; one without a mark stays as it is", () => {
  const stall = { kind: "set-aside", reason: "r", since: 1, attempts: 10 } as const;
  const resumed = decideResume(undefined, { record: entityRecord({ stall, notBefore: 1e15, attempts: 11 }), payloads: {} }, 300);
  assert.ok(!("refused" in resumed));
  assert.equal(checkCommit(resumed), undefined);
  assert.deepEqual(
    [resumed.record?.stall, resumed.record?.notBefore, resumed.record?.attempts, resumed.record?.epoch],
    [undefined, undefined, 0, EPOCH + 1],
  );
  const same = decideResume(undefined, { record: entityRecord(), payloads: {} }, 300);
  assert.equal("refused" in same && same.refused, "no-change");
});
