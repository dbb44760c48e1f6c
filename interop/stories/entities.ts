// entities: what has a state, does one thing at a time, and can be had to oneself for a while.
import assert from "node:assert/strict";
import type { EntitySeen } from "../envoy.ts";
import { ended, eventually, pause, played, until } from "../story.ts";
import type { Needs, Stage, Story } from "../story.ts";

const everybody: Needs = { client: ["entities"], worker: ["entities"], other: ["entities"], server: ["entities"] };

/** An entity of the worker, with a key that no other story has. */
const own = (stage: Stage, program: string, key = stage.id()): string => `@${stage.on(program)}@${key}`;
const others = (stage: Stage, program: string, key = stage.id()): string => `@${stage.across(program)}@${key}`;

/** Looks at an entity until it is as wished. */
async function seen(stage: Stage, entity: string, wished: (entity: EntitySeen | undefined) => boolean, what: string): Promise<void> {
  let last: EntitySeen | undefined;
  const found = await eventually(stage.patienceMs, async () => wished((last = await stage.client.getEntity({ entity }))));
  if (!found) throw new Error(`the entity ${entity} never was ${what}; it is ${JSON.stringify(last)}`);
}

const has = (stage: Stage, entity: string, state: unknown): Promise<void> =>
  seen(stage, entity, (found) => JSON.stringify(found?.state ?? null) === JSON.stringify(state), JSON.stringify(state));

const isFree = (stage: Stage, entity: string): Promise<void> => seen(stage, entity, (found) => (found?.lockedBy ?? "") === "", "free");

/** Moves amounts between entities, each time by reading, waiting and writing: what comes in between would be lost. */
async function transfers(stage: Stage, accounts: readonly string[], orchestrators: readonly string[]): Promise<void> {
  for (const entity of accounts) await stage.client.signalEntity({ entity, operation: "set", input: 100 });
  for (const entity of accounts) await has(stage, entity, 100);
  const ids: string[] = [];
  for (let n = 0; n < 8; n++) {
    const [from, to] = n % 2 === 0 ? accounts : accounts.toReversed();
    const instanceId = stage.id();
    const input = { from, to, amount: n + 1, pauseMs: 50 };
    await stage.client.start({ name: orchestrators[n % orchestrators.length]!, input, instanceId });
    ids.push(instanceId);
  }
  for (const id of ids) assert.equal((await ended(stage, id)).status, "COMPLETED", id);
  // 1 + 3 + 5 + 7 went one way, 2 + 4 + 6 + 8 the other.
  await has(stage, accounts[0]!, 104);
  await has(stage, accounts[1]!, 96);
  for (const entity of accounts) await isFree(stage, entity);
}

export const entityStories: readonly Story[] = [
  {
    name: "an entity is signalled, and its state is read",
    needs: everybody,
    async run(stage) {
      const entity = own(stage, "account");
      assert.equal((await stage.client.getEntity({ entity })) ?? null, null);
      for (const input of [5, 3]) await stage.client.signalEntity({ entity, operation: "add", input });
      await has(stage, entity, 8);
    },
  },
  {
    name: "states that are false in JSON",
    needs: everybody,
    async run(stage) {
      const entity = own(stage, "account");
      for (const input of [0, "", [], false]) {
        await stage.client.signalEntity({ entity, operation: "set", input });
        await has(stage, entity, input);
      }
    },
  },
  {
    name: "an orchestrator calls an entity",
    needs: everybody,
    async run(stage) {
      const entity = own(stage, "account");
      assert.equal((await played(stage, stage.on("entityCall"), { entity, operation: "add", input: 5 })).output, 5);
      assert.equal((await played(stage, stage.on("entityCall"), { entity, operation: "add", input: 2 })).output, 7);
      await has(stage, entity, 7);
    },
  },
  {
    name: "an operation that fails tells its caller, and leaves the state",
    needs: everybody,
    async run(stage) {
      const entity = own(stage, "account");
      await stage.client.signalEntity({ entity, operation: "set", input: 7 });
      const instance = await played(stage, stage.on("entityCatch"), { entity, operation: "fail", input: "no möney" });
      assert.match((instance.output as { message: string }).message, /no möney/);
      await has(stage, entity, 7);
    },
  },
  {
    name: "operations of one caller are done in order",
    needs: everybody,
    async run(stage) {
      const inputs = Array.from({ length: 20 }, (_, n) => n);
      const instance = await played(stage, stage.on("entitySignals"), { entity: own(stage, "log"), operation: "append", inputs });
      assert.deepEqual(instance.output, inputs);
    },
  },
  {
    name: "a signal for later",
    needs: everybody,
    async run(stage) {
      const entity = own(stage, "account");
      await stage.client.signalEntity({ entity, operation: "add", input: 1, delayMs: 2_500 });
      await stage.client.signalEntity({ entity, operation: "add", input: 10 });
      await has(stage, entity, 10);
      await pause(700);
      assert.equal((await stage.client.getEntity({ entity }))?.state, 10, "it was done before its time");
      await has(stage, entity, 11);
    },
  },
  {
    name: "an entity signals another",
    needs: everybody,
    async run(stage) {
      const [one, other] = [own(stage, "account"), own(stage, "account")];
      await stage.client.signalEntity({ entity: one, operation: "tell", input: { entity: other, operation: "add", input: 4 } });
      await has(stage, other, 4);
    },
  },
  {
    name: "an entity starts an orchestration, once",
    needs: everybody,
    async run(stage) {
      const entity = own(stage, "account");
      const instanceId = stage.id("started");
      const input = { orchestrator: stage.on("chain"), input: "Ada", instanceId };
      for (let n = 0; n < 2; n++) await stage.client.signalEntity({ entity, operation: "start", input });
      await until(stage, instanceId, (instance) => instance.status === "COMPLETED", "completed");
      assert.deepEqual((await ended(stage, instanceId)).output, ["Hello Ada!", "Hello Hello Ada!!"]);
    },
  },
  {
    name: "the history tells of calls, locks and their answers",
    needs: { ...everybody, client: ["entities", "history"] },
    async run(stage) {
      const [from, to] = [own(stage, "account"), own(stage, "account")];
      for (const entity of [from, to]) await stage.client.signalEntity({ entity, operation: "set", input: 1 });
      for (const entity of [from, to]) await has(stage, entity, 1);
      const id = stage.id();
      await played(stage, stage.on("transfer"), { from, to, amount: 1, pauseMs: 10 }, id);
      const kinds = await stage.client.history({ instanceId: id });
      const count = (kind: string): number => kinds.filter((each) => each === kind).length;
      assert.deepEqual(
        ["EntityLockRequested", "EntityLockGranted", "EntityOperationCalled", "EntityOperationCompleted", "EntityUnlockSent"].map(count),
        [1, 1, 4, 4, 2],
        kinds.join(", "),
      );
    },
  },
  {
    name: "a lock of two keeps everybody else out",
    needs: everybody,
    async run(stage) {
      await transfers(stage, [own(stage, "account"), own(stage, "account")], [stage.on("transfer")]);
    },
  },
  {
    name: "a locked entity names its orchestration, and takes signals when it is let go",
    needs: everybody,
    async run(stage) {
      const entity = own(stage, "account");
      await stage.client.signalEntity({ entity, operation: "set", input: 1 });
      await has(stage, entity, 1);
      const id = stage.id();
      await stage.client.start({ name: stage.on("lockAndWait"), input: { entities: [entity], event: "go" }, instanceId: id });
      await seen(stage, entity, (found) => found?.lockedBy === id, `locked by ${id}`);
      await stage.client.signalEntity({ entity, operation: "add", input: 5 });
      await pause(500);
      assert.equal((await stage.client.getEntity({ entity }))?.state, 1, "the lock let a signal in");
      await stage.client.raise({ instanceId: id, event: "go", data: "went" });
      assert.equal((await ended(stage, id)).output, "went");
      await has(stage, entity, 6);
      await isFree(stage, entity);
    },
  },
  {
    name: "a lock is let go by whoever ends, in whatever way",
    needs: everybody,
    async run(stage) {
      const entities = [own(stage, "account"), own(stage, "account")];
      for (const entity of entities) await stage.client.signalEntity({ entity, operation: "set", input: 1 });
      for (const entity of entities) await has(stage, entity, 1);
      const failed = await played(stage, stage.on("lockAndFail"), { entities, message: "enough" });
      assert.equal(failed.status, "FAILED");
      for (const entity of entities) await isFree(stage, entity);
      assert.equal((await played(stage, stage.on("lockAndEnd"), { entities })).output, true);
      for (const entity of entities) await isFree(stage, entity);
      const id = stage.id();
      await stage.client.start({ name: stage.on("lockAndWait"), input: { entities, event: "never" }, instanceId: id });
      await seen(stage, entities[1]!, (found) => (found?.lockedBy ?? "") !== "", "locked");
      await stage.client.terminate({ instanceId: id, recursive: false });
      assert.equal((await ended(stage, id)).status, "TERMINATED");
      for (const entity of entities) await isFree(stage, entity);
    },
  },
  {
    name: "entities and their locks outlive their server",
    needs: { ...everybody, server: ["entities", "restartOfServer"] },
    alone: true,
    async run(stage) {
      const entity = own(stage, "account");
      await stage.client.signalEntity({ entity, operation: "set", input: 1 });
      await has(stage, entity, 1);
      const id = stage.id();
      await stage.client.start({ name: stage.on("lockAndWait"), input: { entities: [entity], event: "go" }, instanceId: id });
      await seen(stage, entity, (found) => (found?.lockedBy ?? "") !== "", "locked");
      await stage.client.signalEntity({ entity, operation: "add", input: 5 });
      await stage.server.killAndRestart();
      await eventually(stage.patienceMs, () =>
        stage.client.raise({ instanceId: id, event: "go", data: "went" }).then(
          () => true,
          () => false,
        ),
      );
      assert.equal((await ended(stage, id)).output, "went");
      await has(stage, entity, 6);
      await isFree(stage, entity);
    },
  },
  {
    name: "entities are listed, page by page",
    needs: everybody,
    async run(stage) {
      const key = stage.id();
      const ids = ["a", "b", "c"].map((each) => own(stage, "account", `${key}-${each}`));
      for (const entity of ids) await stage.client.signalEntity({ entity, operation: "set", input: entity });
      for (const entity of ids) await has(stage, entity, entity);
      const { found, pages } = await stage.client.queryEntities({ prefix: own(stage, "account", `${key}-`), pageSize: 2 });
      assert.deepEqual(
        found.map(({ id, state }) => [id, state]).sort(),
        ids.map((id) => [id, id]),
      );
      assert.equal(pages, 2);
    },
  },
  {
    name: "an entity is deleted, cleaned up, and begins anew",
    needs: everybody,
    alone: true,
    async run(stage) {
      const entity = own(stage, "account");
      await stage.client.signalEntity({ entity, operation: "add", input: 5 });
      await has(stage, entity, 5);
      await stage.client.signalEntity({ entity, operation: "delete" });
      await seen(stage, entity, (found) => found === undefined, "gone");
      assert.deepEqual((await stage.client.queryEntities({ prefix: entity, pageSize: 10 })).found, []);
      assert.ok((await stage.client.cleanEntities({})) >= 1);
      await stage.client.signalEntity({ entity, operation: "add", input: 2 });
      await has(stage, entity, 2);
    },
  },
];

/** Two workers on one task hub, each with entities of its own. */
export const entityCrossings: readonly Story[] = [
  {
    name: "an entity of the other worker is called",
    needs: everybody,
    async run(stage) {
      const entity = others(stage, "account");
      assert.equal((await played(stage, stage.on("entityCall"), { entity, operation: "add", input: 5 })).output, 5);
      assert.equal((await played(stage, stage.across("entityCall"), { entity, operation: "add", input: 2 })).output, 7);
      assert.equal((await played(stage, stage.on("entityCall"), { entity, operation: "set", input: "" })).output ?? null, null);
      await has(stage, entity, "");
    },
  },
  {
    name: "an operation of the other worker's entity fails",
    needs: everybody,
    async run(stage) {
      const entity = others(stage, "account");
      await stage.client.signalEntity({ entity, operation: "set", input: 7 });
      const instance = await played(stage, stage.on("entityCatch"), { entity, operation: "fail", input: "no möney" });
      assert.match((instance.output as { message: string }).message, /no möney/);
      await has(stage, entity, 7);
    },
  },
  {
    name: "the other worker's entity is signalled, in order",
    needs: everybody,
    async run(stage) {
      const inputs = Array.from({ length: 20 }, (_, n) => n);
      const instance = await played(stage, stage.on("entitySignals"), { entity: others(stage, "log"), operation: "append", inputs });
      assert.deepEqual(instance.output, inputs);
    },
  },
  {
    name: "an entity signals one of the other worker's, which starts an orchestration of the first",
    needs: everybody,
    async run(stage) {
      const [one, other] = [own(stage, "account"), others(stage, "account")];
      const instanceId = stage.id("started");
      const start = { orchestrator: stage.on("chain"), input: "Mia", instanceId };
      await stage.client.signalEntity({ entity: one, operation: "tell", input: { entity: other, operation: "start", input: start } });
      await until(stage, instanceId, (instance) => instance.status === "COMPLETED", "completed");
    },
  },
  {
    name: "orchestrators of both lock an entity of each",
    needs: everybody,
    async run(stage) {
      await transfers(stage, [own(stage, "account"), others(stage, "account")], [stage.on("transfer"), stage.across("transfer")]);
    },
  },
  {
    name: "a lock on the other worker's entity is let go by who fails",
    needs: everybody,
    async run(stage) {
      const entities = [own(stage, "account"), others(stage, "account")];
      for (const entity of entities) await stage.client.signalEntity({ entity, operation: "set", input: 1 });
      for (const entity of entities) await has(stage, entity, 1);
      assert.equal((await played(stage, stage.on("lockAndFail"), { entities, message: "enough" })).status, "FAILED");
      for (const entity of entities) await isFree(stage, entity);
    },
  },
];
