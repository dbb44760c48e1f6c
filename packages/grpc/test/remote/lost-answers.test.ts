// What is asked again when an answer is lost, and what is not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { orchestrator } from "ostinato";
import { OrchestrationStatus } from "../../src/generated/task_hub_sidecar_pb.js";
import { PROTOCOL_METADATA } from "../../src/codec/peer.ts";
import type { CallFault, OutgoingCall } from "../../src/transport/in-memory.ts";
import { WireError } from "../../src/transport/wire-error.ts";
import { foreignWorld, type ForeignWorld } from "./foreign-server.ts";

const greet = orchestrator("greet", async (_ctx, name: string) => `Hello ${name}!`);

/** Loses the answers to the first calls of a name. */
function losing(method: string, times: number): (call: OutgoingCall) => CallFault | undefined {
  let lost = 0;
  return (call) => (call.method === method && lost++ < times ? { kind: "loseReply" } : undefined);
}

/** What came of something, while time passes. */
async function outcome<T>(world: ForeignWorld, asked: Promise<T>): Promise<T | Error> {
  const settled = asked.catch((error: unknown) => error as Error);
  await world.pass(30_000);
  return settled;
}

test("I2 a start whose answer was lost is asked again, and is known by its own execution", async (t) => {
  const world = foreignWorld(t);
  let kept: string | undefined;
  world.answers.StartInstance = ({ instanceId, executionId }) => {
    if (kept !== undefined) return new WireError("ALREADY_EXISTS", `${instanceId} exists`);
    kept = executionId;
    return { instanceId };
  };
  world.answers.GetInstance = ({ instanceId }) => ({
    exists: true,
    orchestrationState: {
      instanceId,
      name: "greet",
      orchestrationStatus: OrchestrationStatus.PENDING,
      ...(kept === undefined ? {} : { executionId: kept }),
    },
  });
  world.fault = losing("StartInstance", 1);
  const started = await outcome(world, world.hub.start(greet, "Ada", { instanceId: "one" }));
  assert.equal((started as { id: string }).id, "one");
  assert.equal(world.asked("StartInstance").length, 2);
  assert.equal(world.backend.counters()["callsRepeated"], 1);

  kept = "somebody else's";
  world.fault = losing("StartInstance", 1);
  const refused = await outcome(world, world.hub.start(greet, "Bob", { instanceId: "one" }));
  assert.equal((refused as { code?: string }).code, "INSTANCE_EXISTS");
});

test("a start that may replace is not asked twice of a server that would replace what it has just started", async (t) => {
  const world = foreignWorld(t);
  world.answers.StartInstance = ({ instanceId }) => ({ instanceId });
  world.fault = losing("StartInstance", 1);
  const lost = await outcome(world, world.hub.start(greet, "Ada", { instanceId: "one", dedupeStatuses: [] }));
  assert.equal((lost as { code?: string }).code, "HUB_UNREACHABLE");
  assert.equal(world.asked("StartInstance").length, 1);
});

test("I5 an event goes once to a server that knows no ids of events, and is repeated to one of ours", async (t) => {
  for (const [hello, times] of [
    [{}, 1],
    [PROTOCOL_METADATA, 2],
  ] as const) {
    const world = foreignWorld(t, hello);
    world.answers.GetInstance = ({ instanceId }) => ({ exists: true, orchestrationState: { instanceId, name: "greet" } });
    world.answers.RaiseEvent = () => ({});
    world.fault = losing("RaiseEvent", 1);
    const told = await outcome(world, world.hub.instance("one").raiseEvent("go", 1));
    assert.equal(told instanceof Error, times === 1);
    const asked = world.asked("RaiseEvent");
    assert.equal(asked.length, times);
    assert.equal(new Set(asked.map((each) => each.ownMessageId)).size, 1);
    assert.equal(asked[0]?.ownMessageId === undefined || asked[0].ownMessageId === "", times === 1, "our field goes to ours alone");
  }
});

test("a wait outlives a server that goes away and comes back, and ends with its signal", async (t) => {
  const world = foreignWorld(t);
  let status = OrchestrationStatus.RUNNING;
  const answer = ({ instanceId }: { readonly instanceId: string }) => ({
    exists: true,
    orchestrationState: { instanceId, name: "greet", orchestrationStatus: status, output: '"done"' },
  });
  world.answers.GetInstance = answer;
  world.answers.WaitForInstanceCompletion = (request) =>
    status === OrchestrationStatus.COMPLETED ? answer(request) : new WireError("DEADLINE_EXCEEDED", "not yet");
  const done = world.hub.instance("one").result();
  world.channel.setDown(true);
  await world.pass(300_000);
  world.channel.setDown(false);
  status = OrchestrationStatus.COMPLETED;
  await world.pass(10_000);
  assert.equal(await done, "done");
  assert.ok(world.logged.some(({ level, message }) => level === "warn" && /lost the server/.test(message)));

  status = OrchestrationStatus.RUNNING;
  world.answers.WaitForInstanceCompletion = () => new WireError("UNAVAILABLE", "away");
  const late = world.hub
    .instance("one")
    .result({ timeout: "1m" })
    .catch((error: unknown) => error);
  await world.pass(61_000);
  await world.pass(10_000);
  assert.equal(((await late) as { code?: string }).code, "RESULT_TIMEOUT");
});

test("a wait for an unknown id is over at once, also where a server would wait", async (t) => {
  const world = foreignWorld(t);
  world.answers.GetInstance = () => ({ exists: false });
  assert.equal(await world.backend.waitForCompletion("nobody"), undefined);
  assert.equal(world.asked("WaitForInstanceCompletion").length, 0);
});

test("what a server does not have is refused by the name of what was asked, and of the server", async (t) => {
  const world = foreignWorld(t);
  world.answers.GetInstance = ({ instanceId }) => ({ exists: true, orchestrationState: { instanceId, name: "greet" } });
  for (const asked of [
    () => world.hub.instance("one").rewind(),
    () => world.hub.instance("one").restart(),
    () => world.hub.query({}),
    () => world.hub.listInstanceIds(),
    () => world.hub.instance("one").history(),
  ]) {
    const error = await Promise.resolve(asked()).then(
      () => assert.fail("this was to be refused"),
      (thrown: unknown) => thrown as Error & { code: string },
    );
    assert.equal(error.code, "UNSUPPORTED", error.message);
    assert.match(error.message, /foreign:4001/);
  }
});

test("a restart under a chosen id is a start of the same, where the protocol has no place for the id", async (t) => {
  const world = foreignWorld(t);
  world.answers.GetInstance = ({ instanceId }) => ({
    exists: true,
    orchestrationState: { instanceId, name: "greet", input: '"Ada"', version: "2.0.0", tags: { of: "mine" } },
  });
  world.answers.StartInstance = ({ instanceId }) => ({ instanceId });
  const again = await world.hub.instance("one").restart({ newInstanceId: "two" });
  assert.equal(again.id, "two");
  const [start] = world.asked("StartInstance");
  assert.deepEqual(
    [start?.instanceId, start?.name, start?.input, start?.version, start?.tags],
    ["two", "greet", '"Ada"', "2.0.0", { of: "mine" }],
  );
});

test("a query is filtered here as far as the server cannot", async (t) => {
  const world = foreignWorld(t);
  world.answers.QueryInstances = ({ query }) =>
    query?.continuationToken === undefined || query.continuationToken === ""
      ? { orchestrationState: [{ instanceId: "a", name: "other" }], continuationToken: "more" }
      : {
          orchestrationState: [
            { instanceId: "b", name: "greet", tags: { of: "mine" } },
            { instanceId: "c", name: "greet" },
          ],
          continuationToken: "0",
        };
  const found = await world.hub.query({ name: "greet", tags: { of: "mine" } });
  assert.deepEqual(
    found.map(({ id }) => id),
    ["b"],
  );
});
