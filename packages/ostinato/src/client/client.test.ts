import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, externalEvent, orchestrator } from "../authoring/define.ts";
import type { StandardSchemaV1 } from "../authoring/schema.ts";
import type { ValidationError } from "../contract/errors.ts";
import { createTestHub } from "../testing/test-hub.ts";

/** A schema that trims a name and refuses an empty one. */
const named: StandardSchemaV1<{ name: string }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate(value) {
      const { name } = value as { name: string };
      return name.trim() === "" ? { issues: [{ message: "is empty", path: ["name"] }] } : { value: { name: name.trim() } };
    },
  },
};
const greet = orchestrator("greet", { input: named, version: "1.5.0" }, async (ctx, input) => `Hello ${input.name}!`);
const echo = orchestrator("echo", async (ctx, input: unknown) => input);
const renamed = externalEvent("renamed", named);
const listen = orchestrator("listen", async (ctx) => (await ctx.waitForExternalEvent(renamed)).name);
const all = { orchestrators: [greet, echo, listen], limits: { payloadBytes: 1_000 } };

test("what the schema returned is what is stored, and a refusal names the path", async () => {
  const hub = await createTestHub(all);
  const instance = await hub.start(greet, { name: "  Ada " });
  assert.equal(await instance.result(), "Hello Ada!");
  assert.deepEqual((await instance.status())?.input, { name: "Ada" });
  await assert.rejects(
    hub.start(greet, { name: " " }, { instanceId: "refused" }),
    (error: ValidationError) => error.code === "VALIDATION_FAILED" && error.path === "input.name",
  );
  assert.equal(await hub.instance("refused").status(), undefined);
  await hub.close();
});

test("a start without a contract is checked by the worker, before the first turn", async () => {
  const hub = await createTestHub(all);
  const instance = await hub.start("greet", { name: "  Ada " }, { version: "1.5.0" });
  assert.equal(await instance.result(), "Hello Ada!");
  assert.deepEqual((await instance.status())?.input, { name: "Ada" });
  const refused = await hub.start("greet", { name: "" }, { version: "1.5.0" });
  await assert.rejects(refused.result(), { code: "ORCHESTRATION_FAILED" });
  const status = await refused.status();
  assert.equal(status?.failure?.errorType, "ValidationError");
  await hub.close();
});

/** As a program without types could write it. */
const untyped = (options: object): never => options as never;

test("a misspelt option is refused, and a misspelt filter removes nothing", async () => {
  const hub = await createTestHub(all);
  const done = await hub.start(echo, 1, { instanceId: "done" });
  await done.result();
  await assert.rejects(hub.start(echo, 1, untyped({ id: "x" })), {
    code: "INVALID_ARGUMENT",
    message: "hub.start has no option 'id'; it has instanceId, version, tags, startAt, dedupeStatuses.",
  });
  await assert.rejects(hub.purge(untyped({ state: "FAILED" })), { code: "INVALID_ARGUMENT", message: /no option 'state'/ });
  await assert.rejects(hub.purge(untyped({ status: "DONE" })), { code: "INVALID_ARGUMENT", message: /PENDING, RUNNING/ });
  await assert.rejects(hub.purge("done" as never), { code: "INVALID_ARGUMENT" });
  await assert.rejects(hub.purge(undefined as never), { code: "INVALID_ARGUMENT" });
  assert.throws(() => hub.query(untyped({ createdAfter: new Date() })), { code: "INVALID_ARGUMENT" });
  assert.throws(() => hub.listInstanceIds(untyped({ status: "RUNNING" })), { code: "INVALID_ARGUMENT" });
  await assert.rejects(done.result(untyped({ timeoutMs: 50 })), { code: "INVALID_ARGUMENT" });
  await assert.rejects(done.result({ timeout: 50 as never }), { message: /^timeout must be a duration: .* got 50\.$/ });
  assert.equal((await done.status())?.status, "COMPLETED");
  await hub.close();
});

test("what is no orchestrator is not started", async () => {
  const hub = await createTestHub(all);
  const step = activity("step", async () => 1);
  for (const target of [undefined, step, async () => 1]) await assert.rejects(hub.start(target as never), { code: "INVALID_ARGUMENT" });
  assert.deepEqual(await hub.query(), []);
  await hub.close();
});

test("event data is checked where it is raised", async () => {
  const hub = await createTestHub(all);
  const instance = await hub.start(listen);
  await assert.rejects(instance.raiseEvent(renamed, { name: "" }), { code: "VALIDATION_FAILED" });
  await instance.raiseEvent(renamed, { name: " Grace " });
  assert.equal(await instance.result(), "Grace");
  await instance.raiseEvent(renamed, { name: "too late" });
  await assert.rejects(hub.instance("nobody").raiseEvent("renamed"), { code: "INSTANCE_NOT_FOUND" });
  await assert.rejects(instance.raiseEvent(" "), { code: "INVALID_ARGUMENT" });
  await hub.close();
});

test("what cannot be stored is refused at the call", async () => {
  const hub = await createTestHub(all);
  const refusals: [() => Promise<unknown>, string][] = [
    [() => hub.start(echo, 1, { instanceId: "" }), "INVALID_ARGUMENT"],
    [() => hub.start(echo, 1, { instanceId: "@entity@1" }), "INVALID_ARGUMENT"],
    [() => hub.start(echo, 1, { instanceId: "a\u0000b" }), "INVALID_ARGUMENT"],
    [() => hub.start(echo, 1, { instanceId: "x".repeat(257) }), "INVALID_ARGUMENT"],
    [() => hub.start(echo, 1, { instanceId: "half \ud800" }), "INVALID_ARGUMENT"],
    [() => hub.start("", 1), "INVALID_ARGUMENT"],
    [() => hub.start(echo, 1, { tags: { team: 5 as unknown as string } }), "INVALID_ARGUMENT"],
    [() => hub.start(echo, 1, { tags: { team: "\u0000" } }), "PAYLOAD_INVALID"],
    [() => hub.start(echo, 1, { startAt: new Date(Number.NaN) }), "INVALID_ARGUMENT"],
    [() => hub.start(echo, "x".repeat(1_000)), "PAYLOAD_TOO_LARGE"],
    [() => hub.start(echo, () => 1), "PAYLOAD_INVALID"],
    [() => hub.start(echo, new (class Wallet {})()), "PAYLOAD_INVALID"],
    [() => hub.instance("i").suspend("\u0000"), "PAYLOAD_INVALID"],
  ];
  for (const [call, code] of refusals) await assert.rejects(call, { code });
  assert.throws(() => hub.instance(""), { code: "INVALID_ARGUMENT" });
  assert.equal((await hub.query()).length, 0);
  await hub.close();
});

test("a version is the one given, else the definition's, else the hub's; an empty one is none", async () => {
  const hub = await createTestHub({ ...all, defaultVersion: "9.0.0" });
  const version = async (handle: Promise<{ status(): Promise<{ version: string | undefined } | undefined> }>) =>
    (await (await handle).status())?.version;
  assert.equal(await version(hub.start(greet, { name: "a" }, { version: "1.0.0" })), "1.0.0");
  assert.equal(await version(hub.start(greet, { name: "a" })), "1.5.0");
  assert.equal(await version(hub.start(echo)), "9.0.0");
  assert.equal(await version(hub.start(greet, { name: "a" }, { version: "" })), undefined);
  await hub.close();
});

test("ids are made up when none is given, and a handle is no promise", async () => {
  const hub = await createTestHub(all);
  const instance = await hub.start(echo, { a: [1, undefined] });
  assert.match(instance.id, /^[0-9a-f]{32}$/);
  assert.equal("then" in instance, false);
  assert.deepEqual(await instance.result(), { a: [1, undefined] });
  await hub.close();
});

test("an instance started for later waits for its time", async () => {
  const hub = await createTestHub(all);
  const startAt = new Date(hub.clock.date.getTime() + 3_600_000);
  const instance = await hub.start(echo, "later", { startAt });
  await hub.clock.advance("59m");
  const status = await instance.status();
  assert.equal(status?.status, "PENDING");
  assert.deepEqual(status.scheduledAt, startAt);
  await assert.rejects(instance.waitForStart({ timeout: "30s" }), { code: "RESULT_TIMEOUT" });
  const begun = await instance.waitForStart();
  assert.ok(begun.startedAt && begun.startedAt >= startAt);
  assert.equal(await instance.result(), "later");
  await hub.close();
});

test("suspend, resume and terminate do what they say", async () => {
  const hub = await createTestHub(all);
  const instance = await hub.start(listen);
  await instance.suspend("a break");
  await instance.raiseEvent(renamed, { name: "Ada" });
  assert.equal((await instance.status())?.status, "SUSPENDED");
  await assert.rejects(instance.purge(), { code: "INVALID_STATE" });
  await instance.resume();
  assert.equal(await instance.result(), "Ada");
  await hub.close();
});

test("a payload that its own class cannot read spoils that field alone", async () => {
  class Picky {
    n = 1;
    static fromJSON(): Picky {
      throw new Error("not today");
    }
  }
  const keep = orchestrator("keep", { input: Picky }, async () => "kept");
  const hub = await createTestHub({ orchestrators: [keep] });
  const instance = await hub.start(keep, new Picky());
  await instance.waitForStart();
  const status = await hub.instance(keep, instance.id).status();
  assert.ok(status);
  assert.equal(status.name, "keep");
  assert.throws(() => status.input, { code: "PAYLOAD_INVALID" });
  await hub.close();
});

test("a failure comes with the chain of its causes", async () => {
  const charge = activity("charge", async () => {
    throw new Error("declined", { cause: new RangeError("limit") });
  });
  const pay = orchestrator("pay", async (ctx) => ctx.callActivity(charge));
  const hub = await createTestHub({ orchestrators: [pay], activities: [charge] });
  const error = await (await hub.start(pay)).result().then(
    () => assert.fail("it should have failed"),
    (reason: Error) => reason,
  );
  const chain: string[] = [];
  for (let each: unknown = error; each instanceof Error; each = each.cause) chain.push(each.name);
  assert.deepEqual(chain, ["OrchestrationFailedError", "TaskFailedError", "Error", "RangeError"]);
  await hub.close();
});
