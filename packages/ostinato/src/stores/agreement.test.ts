// The two stores are told one story, made by chance, of entities that are signalled, locked, done, given back and cleaned up: they give the same answers.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import fc from "fast-check";
import { movableClock } from "../conformance/store/movable-clock.ts";
import type { MovableClock } from "../conformance/store/movable-clock.ts";
import { commitOf, messageTo, recordOf, START } from "../conformance/store/stories.ts";
import { entityRecordName } from "../contract/ids.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import type { Message } from "../contract/messages.ts";
import { given } from "../contract/recorded-as.ts";
import type { Commit } from "../engine/commit.ts";
import type { Store, WantedNames } from "../engine/store.ts";
import { seededRandom } from "../platform/random.ts";
import { createMemoryHub } from "./memory/memory-store.ts";
import { openSqliteStore } from "./sqlite/sqlite-store.ts";

const IDS = ["@a@1", "@a@2", "@b@1"];
const STEPS = 150;

/** An entity that the story's one owner holds: its record, and what it was handed and has not done. */
interface Held {
  readonly record: InstanceRecord;
  readonly handed: string[];
}

/** A story under way. */
interface Story {
  readonly clock: MovableClock;
  readonly held: Map<string, Held>;
  /** Less than this, at least 0. */
  readonly upTo: (count: number) => number;
  readonly pick: <T>(from: readonly T[]) => T;
  /** Asks both stores; their answers must be one. */
  readonly both: <T>(what: string, ask: (store: Store) => Promise<T>) => Promise<T>;
  readonly mint: () => number;
}

function storyOf(seed: number, clock: MovableClock, [one, other]: readonly [Store, Store]): Story {
  const random = seededRandom(seed);
  const upTo = (count: number): number => Math.floor(random.fraction() * count);
  const told: string[] = [];
  let minted = 0;
  return {
    clock,
    held: new Map(),
    upTo,
    pick: <T>(from: readonly T[]): T => from[upTo(from.length)] as T,
    async both(what, ask) {
      told.push(what);
      const [first, second] = [await ask(one), await ask(other)];
      assert.deepEqual(second, first, `after ${told.slice(-12).join("; ")}`);
      return first;
    },
    mint: () => ++minted,
  };
}

/** A message of any kind to any of the entities, which it makes where it is not there. */
function anyMessage({ clock, upTo, pick, mint }: Story): Message {
  const to = pick(IDS);
  const record = recordOf(to, { kind: "entity", name: entityRecordName(to), executionId: to, lineage: to, status: "RUNNING" });
  return messageTo(to, `m${mint()}`, {
    wakes: upTo(3) === 0 ? "always" : "unless-held",
    needs: upTo(4) === 0 ? "engine" : "program",
    creates: { record, payloads: upTo(2) === 0 ? {} : { state: "0" }, claimed: false },
    ...given({ visibleAt: upTo(4) === 0 ? clock.now() + upTo(50) : undefined }),
  });
}

/** The commit of a batch: of what was handed out the first few are done; now and then it locks its entity, or lets it go. */
function batchOf({ upTo, mint }: Story, { record, handed }: Held, messages: readonly Message[]): Commit {
  const { lockedBy, ...free } = record;
  const changesLock = upTo(3) === 0;
  const lock = { instanceId: "o", executionId: "o-1", criticalSectionId: `s${mint()}` };
  const isLocked = changesLock ? !record.held : record.held;
  return commitOf({
    fences: [{ kind: "instance", number: record.number, epoch: record.epoch }],
    number: record.number,
    record: { ...free, held: isLocked, ...(isLocked ? { lockedBy: lockedBy ?? lock } : {}), turn: record.turn + 1, attempts: 0 },
    consumed: handed.slice(0, upTo(handed.length + 1)),
    messages,
    payloads: given({ state: [undefined, null, `${mint()}`][upTo(3)] }),
    keep: upTo(4) > 0,
  });
}

const STEPS_OF_STORIES: Readonly<Record<string, (story: Story) => Promise<void>>> = {
  async send(story) {
    const messages = Array.from({ length: 1 + story.upTo(3) }, () => anyMessage(story));
    await story.both(`send ${messages.map(({ id, to }) => `${id} to ${to}`).join()}`, (store) => store.commit([commitOf({ messages })]));
  },
  async claim({ upTo, pick, both, held }) {
    const entities = pick<WantedNames>([["@a"], ["@a", "@b"], { anyBut: [] }, { anyBut: ["@a"] }]);
    // There is room for all or for none: which of those that are due at the same time come first is a store's own affair.
    const room = { instances: upTo(2) * 10, entityCount: upTo(4) * 10, activityCount: 0 };
    const want = { ...room, orchestrators: { anyBut: [] }, entities, activities: [] };
    const { instances } = await both(`claim ${JSON.stringify(want)}`, async (store) => {
      const claims = await store.claim(want);
      return { nextDueAt: claims.nextDueAt, instances: [...claims.instances].sort((a, b) => a.number - b.number) };
    });
    for (const claim of instances) {
      const before = claim.held ? (held.get(claim.id)?.handed ?? []) : [];
      held.set(claim.id, { record: claim.record, handed: [...before, ...claim.messages.map((message) => message.id)] });
    }
  },
  async batch(story) {
    const id = story.pick([...story.held.keys()]);
    const one = story.held.get(id);
    if (one === undefined) return;
    const messages = Array.from({ length: story.upTo(3) }, () => anyMessage(story));
    const commit = batchOf(story, one, messages);
    const [result] = await story.both(`batch of ${id}, ${JSON.stringify(commit)}`, (store) => store.commit([commit]));
    assert.ok(result?.ok, JSON.stringify(result));
    const left = one.handed.filter((message) => !commit.consumed.includes(message));
    if (!commit.keep || commit.record === undefined) story.held.delete(id);
    else story.held.set(id, { record: commit.record, handed: [...left, ...result.arrived.map((message) => message.id)] });
  },
  async release({ held, pick, upTo, both }) {
    const id = pick([...held.keys()]);
    const one = held.get(id);
    if (one === undefined) return;
    const { number, epoch } = one.record;
    const afterMs = Math.max(0, upTo(60) - 30);
    held.delete(id);
    await both(`release ${id} for ${afterMs} ms`, (store) => store.release([{ number, epoch }], afterMs));
  },
  async clean({ held, pick, both }) {
    const id = pick(IDS);
    const there = await both(`read ${id}`, (store) => store.read(id));
    if (there === undefined) return;
    const { number, epoch } = there.record;
    const drop = commitOf({ fences: [{ kind: "instance", number, epoch }], number, drop: "if-idle" });
    const [result] = await both(`drop ${id}`, (store) => store.commit([drop]));
    if (result?.ok) held.delete(id);
  },
  async wait({ clock, upTo }) {
    clock.advance(upTo(40));
  },
};

async function tell(seed: number): Promise<void> {
  const clock = movableClock(START);
  const folder = mkdtempSync(join(tmpdir(), "ostinato-agreement-"));
  const memory = createMemoryHub({ clock }).connect();
  const sqlite = openSqliteStore({ path: join(folder, "hub.db"), body: "inline", testing: { clock } });
  try {
    await sqlite.open();
    const story = storyOf(seed, clock, [memory, sqlite]);
    const { send, claim, batch, ...others } = STEPS_OF_STORIES;
    const steps = [send, claim, batch, send, claim, batch, ...Object.values(others)];
    for (let step = 0; step < STEPS; step++) {
      await story.pick(steps)?.(story);
      for (const id of IDS) {
        await story.both(`read ${id}`, (store) => store.read(id));
        await story.both(`look at ${id}`, (store) => store.outstanding(id));
      }
    }
    assert.deepEqual(await sqlite.file?.checkIntegrity(), []);
  } finally {
    await sqlite.close();
    rmSync(folder, { recursive: true });
  }
}

it("E2 E5 E6 memory and sqlite agree on what becomes of entities, whatever happens to them", { timeout: 60_000 }, async () => {
  // Another seed is another story, so there is nothing to make smaller.
  await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 32 - 1 }), tell), { numRuns: 15, endOnFailure: true });
});
