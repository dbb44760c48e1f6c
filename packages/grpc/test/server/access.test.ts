// Who may call what: the table, tokens, hubs, and how a refusal looks.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { Action, ActionKind } from "ostinato/contract";
import { OrchestrationStatus } from "../../src/generated/task_hub_sidecar_pb.js";
import { METHODS, type MethodName } from "../../src/codec/messages.ts";
import { ACTION_RIGHTS, CALL_RIGHTS, refusedAction, RIGHTS, type Right } from "../../src/server/access.ts";
import { createTaskHubService } from "../../src/server/task-hub-service.ts";
import { refuseExposure } from "../../src/server/exposure.ts";
import type { Metadata } from "../../src/transport/transport.ts";
import { complete, familyHub, schedule, serveInMemory, statusOf, worldOf } from "./family.ts";

const TOKEN = "a-token-of-our-own-made";
const bearer = (token: string, more: Metadata = {}): { readonly metadata: Metadata } => ({
  metadata: { authorization: `Bearer ${token}`, ...more },
});

test("AUTHZ-1 every call of the service and every kind of action has an entry", () => {
  for (const method of Object.keys(METHODS))
    assert.ok(Object.hasOwn(CALL_RIGHTS, method) && CALL_RIGHTS[method as MethodName].length > 0, method);
  assert.deepEqual(Object.keys(CALL_RIGHTS).sort(), Object.keys(METHODS).sort());
  const actions: Record<ActionKind, true> = {
    scheduleTask: true,
    createSubOrchestration: true,
    createTimer: true,
    cancelTimer: true,
    sendEvent: true,
    signalEntity: true,
    callEntity: true,
    lockEntities: true,
    unlockEntity: true,
    terminateOrchestration: true,
    rewindOrchestration: true,
    completeOrchestration: true,
  };
  assert.deepEqual(Object.keys(ACTION_RIGHTS).sort(), Object.keys(actions).sort());
});

test("AUTHZ-3 each kind of command inside of a completion asks for the worker's right, and is refused without it", () => {
  const caller = (right: Right) => ({ name: "somebody", rights: new Set([right]), hubs: "any" as const });
  const actions: readonly Action[] = [
    { kind: "createTimer", id: 1, fireAt: 0 },
    { kind: "terminateOrchestration", id: 2, instanceId: "other", recursive: true },
    { kind: "signalEntity", id: 2, entityId: "@c@1", requestId: "r", operation: "add" },
    { kind: "callEntity", id: 2, entityId: "@c@1", requestId: "s", operation: "add" },
    { kind: "lockEntities", id: 2, criticalSectionId: "t", lockSet: ["@c@1"] },
    { kind: "unlockEntity", id: 2, criticalSectionId: "t", entityId: "@c@1" },
  ];
  assert.equal(refusedAction(caller("worker"), actions), undefined);
  for (const right of RIGHTS.filter((each) => each !== "worker")) assert.equal(refusedAction(caller(right), actions), "createTimer", right);
  const unheardOf = [{ kind: "dropEverything", id: 1 }] as unknown as Action[];
  assert.equal(refusedAction(caller("worker"), unheardOf), "dropEverything", "what has no entry is refused");
});

test("AUTHZ-2 each right opens its calls and no others, on its own hub; another hub and a missing one are refused alike", async (t) => {
  const orders = await familyHub();
  const billing = await familyHub();
  const tokens = RIGHTS.map((right) => ({ token: `the-token-for-${right}-alone`, rights: [right], hubs: ["orders"] }));
  const service = createTaskHubService({ orders, billing }, { tokens });
  t.after(async () => {
    await service.close({ graceMs: 0 });
    await Promise.all([orders.close(), billing.close()]);
  });
  const { call, read, channel } = worldOf(orders, service);
  for (const right of RIGHTS) {
    const token = `the-token-for-${right}-alone`;
    for (const [name, { kind }] of Object.entries(METHODS)) {
      const method = name as MethodName;
      if (method === "GetWorkItems") continue;
      const attempt = (taskhub: string) => {
        const options = bearer(token, { taskhub });
        return kind === "stream" ? read("StreamInstanceHistory", { instanceId: "nobody" }, options) : call(method, {}, options);
      };
      const status = await statusOf(attempt("orders"));
      const allowed = CALL_RIGHTS[method].includes(right);
      if (!allowed || (method === "StreamInstanceHistory" && right === "worker"))
        assert.equal(status, "PERMISSION_DENIED", `${right} ${method}`);
      else assert.ok(!["PERMISSION_DENIED", "UNAUTHENTICATED"].includes(status), `${right} ${method}: ${status}`);
      if (!allowed) continue;
      const said = await Promise.all(
        ["billing", "missing"].map((hub) => attempt(hub).then(String, (error: Error) => `${statusName(error)} ${error.message}`)),
      );
      assert.equal(said[0], said[1], `${right} ${method}`);
      assert.match(said[0]!, /^PERMISSION_DENIED/);
    }
  }
  assert.equal(await statusOf(channel.unary("Hello", new Uint8Array())), "UNAUTHENTICATED");
});

function statusName(error: unknown): string {
  return (error as { status: string }).status;
}

test("a hub is named by metadata; without it the only one is meant, or the one called default", async (t) => {
  const [first, second] = [await familyHub(), await familyHub()];
  t.after(() => Promise.all([first.close(), second.close()]));
  const start = (hubs: Parameters<typeof createTaskHubService>[0], taskhub?: string) =>
    statusOf(
      worldOf(first, createTaskHubService(hubs)).call(
        "StartInstance",
        { name: "greet" },
        taskhub === undefined ? {} : { metadata: { taskhub } },
      ),
    );
  assert.equal(await start(first), "OK");
  assert.equal(await start(first, "default"), "OK");
  assert.equal(await start({ orders: first }), "OK");
  assert.equal(await start({ orders: first }, "other"), "NOT_FOUND");
  assert.equal(await start({ orders: first }, "constructor"), "NOT_FOUND");
  assert.equal(await start({ orders: first, billing: second }), "NOT_FOUND");
  assert.equal(await start({ orders: first, default: second }), "OK");
  const ids: string[] = [];
  for await (const { id } of second.query()) ids.push(id);
  assert.equal(ids.length, 1);
});

test("a token is the whole text, compared by its hash; nothing else lets in, and no message repeats it", async (t) => {
  const { call } = await serveInMemory(t, { tokens: [{ sha256: createHash("sha256").update(TOKEN).digest("hex") }] });
  assert.equal(await statusOf(call("Hello", {}, bearer(TOKEN))), "OK");
  assert.equal(await statusOf(call("Hello", {}, { metadata: { authorization: `bearer ${TOKEN}` } })), "OK");
  for (const wrong of [TOKEN.slice(0, -1), `${TOKEN}x`, TOKEN.toUpperCase(), createHash("sha256").update(TOKEN).digest("hex")]) {
    await assert.rejects(call("Hello", {}, bearer(wrong)), (error: { status: string; message: string }) => {
      assert.equal(error.status, "UNAUTHENTICATED");
      return !error.message.includes(wrong);
    });
  }
  for (const authorization of [TOKEN, "Bearer", "Basic " + TOKEN, `Bearer ${TOKEN} ${TOKEN}`])
    assert.equal(await statusOf(call("Hello", {}, { metadata: { authorization } })), "UNAUTHENTICATED");
  assert.equal(await statusOf(call("Hello")), "UNAUTHENTICATED");
});

test("SEC2 no token, right or wrong, is in any line of the log", async (t) => {
  const world = await serveInMemory(t, { tokens: [{ token: TOKEN, rights: ["view"] }] });
  await statusOf(world.call("StartInstance", { name: "greet" }, bearer(TOKEN)));
  await statusOf(world.call("Hello", {}, bearer("a-wrong-token-of-somebody")));
  await statusOf(world.call("Hello", {}, bearer(TOKEN, { taskhub: TOKEN })));
  assert.equal(world.hub.logged.length, 2);
  assert.doesNotMatch(JSON.stringify(world.hub.logged), /token-of/);
});

test("tokens that make no sense are refused at the start, without being repeated", async (t) => {
  const hub = await familyHub();
  t.after(() => hub.close());
  const refused = (tokens: unknown, message: RegExp) =>
    assert.throws(
      () => createTaskHubService(hub, { tokens: tokens as [] }),
      (error: Error) => message.test(error.message) && !error.message.includes("hunter2"),
    );
  refused([], /lets nobody in/);
  refused([{}], /tokens\[0\] has to have either token or sha256/);
  refused([{ token: TOKEN, sha256: "0".repeat(64) }], /either token or sha256/);
  refused([{ token: "hunter2" }], /at least 16 characters/);
  refused([{ sha256: "hunter2" }], /no SHA-256/);
  refused([{ token: TOKEN, right: ["worker"] }], /no option 'right'/);
  refused([{ token: TOKEN, rights: ["everything"] }], /there are view, payloads/);
  assert.throws(() => createTaskHubService(hub, { token: TOKEN } as object), /no option 'token'/);
});

test("who may only view sees no payloads, wherever an instance is shown", async (t) => {
  const rightsOf = (right: Right) => ({ token: `the-token-for-${right}-alone`, rights: [right] });
  const { call, worker } = await serveInMemory(t, { tokens: [{ token: TOKEN }, rightsOf("view"), rightsOf("payloads")] });
  await call("StartInstance", { instanceId: "one", name: "greet", input: '"secret"' }, bearer(TOKEN));
  const stream = worker({}, bearer(TOKEN).metadata);
  const { token } = await stream.turn();
  await call(
    "CompleteOrchestratorTask",
    { instanceId: "one", completionToken: token, customStatus: '"secret"', actions: [complete(1, '"secret"')] },
    bearer(TOKEN),
  );
  for (const right of ["view", "payloads"] as const) {
    const options = bearer(`the-token-for-${right}-alone`);
    const shown = [
      (await call("GetInstance", { instanceId: "one", getInputsAndOutputs: true }, options)).orchestrationState,
      (await call("WaitForInstanceStart", { instanceId: "one", getInputsAndOutputs: true }, options)).orchestrationState,
      (await call("WaitForInstanceCompletion", { instanceId: "one", getInputsAndOutputs: true }, options)).orchestrationState,
      (await call("QueryInstances", { query: { fetchInputsAndOutputs: true } }, options)).orchestrationState[0],
    ];
    for (const state of shown)
      assert.deepEqual(
        [state?.name, state?.input, state?.output, state?.customStatus],
        ["greet", ...Array.from({ length: 3 }, () => (right === "view" ? undefined : '"secret"'))],
      );
  }
});

test("a start that replaces what runs asks for the right to end it", async (t) => {
  const tokens = [
    { token: "the-token-of-a-client", rights: ["client" as const] },
    { token: "the-token-in-control", rights: ["client" as const, "control" as const] },
  ];
  const { call, hub } = await serveInMemory(t, { tokens });
  const start = (token: string, replaceableStatus: OrchestrationStatus[]) =>
    call("StartInstance", { instanceId: "one", name: "greet", orchestrationIdReusePolicy: { replaceableStatus } }, bearer(token));
  const { COMPLETED, RUNNING, PENDING, TERMINATED } = OrchestrationStatus;
  await start("the-token-of-a-client", [COMPLETED, TERMINATED]);
  const first = (await hub.instance("one").status())?.executionId;
  assert.equal(await statusOf(start("the-token-of-a-client", [PENDING, RUNNING, TERMINATED])), "PERMISSION_DENIED");
  assert.equal((await hub.instance("one").status())?.executionId, first);
  await start("the-token-in-control", [PENDING, RUNNING, TERMINATED]);
  assert.notEqual((await hub.instance("one").status())?.executionId, first);
});

test("a worker may read the past of the turn it was handed, and no other history", async (t) => {
  const rights = (right: Right, number: number) => ({ token: `the-token-for-${right}-no-${number}`, rights: [right] });
  const { call, read, worker } = await serveInMemory(t, { tokens: [{ token: TOKEN }, rights("worker", 1), rights("worker", 2)] });
  await call("StartInstance", { instanceId: "one", name: "greet" }, bearer(TOKEN));
  const stream = worker({}, bearer("the-token-for-worker-no-1").metadata);
  const { request } = await stream.turn();
  const past = (number: number) =>
    read(
      "StreamInstanceHistory",
      { instanceId: "one", executionId: request.executionId!, forWorkItemProcessing: true },
      bearer(`the-token-for-worker-no-${number}`),
    );
  assert.equal(await statusOf(past(1)), "OK");
  assert.equal(await statusOf(past(2)), "NOT_FOUND");
  assert.equal(
    await statusOf(read("StreamInstanceHistory", { instanceId: "one" }, bearer("the-token-for-worker-no-1"))),
    "PERMISSION_DENIED",
  );
});

test("without its token an answer is taken only from the caller that has the item", async (t) => {
  const { call, worker } = await serveInMemory(t, { tokens: [{ token: TOKEN }, { token: "another-token-of-ours", rights: ["worker"] }] });
  await call("StartInstance", { instanceId: "one", name: "greet" }, bearer(TOKEN));
  const stream = worker({}, bearer(TOKEN).metadata);
  await stream.turn();
  const answer = (token: string) =>
    statusOf(call("CompleteOrchestratorTask", { instanceId: "one", actions: [schedule(1, "hello")] }, bearer(token)));
  assert.equal(await answer("another-token-of-ours"), "NOT_FOUND");
  assert.equal(await answer(TOKEN), "OK");
});

test("an address that others can reach needs TLS and tokens, or the word of its owner", () => {
  const refused = (host: string, more: Partial<Parameters<typeof refuseExposure>[0]> = {}) => {
    try {
      refuseExposure({ host, hasTls: false, hasTokens: false, isAllowed: false, ...more });
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  for (const host of ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]", "app.localhost"]) assert.equal(refused(host), undefined, host);
  for (const host of ["0.0.0.0", "::", "10.0.0.7", "example.com", "localhost.example.com", "127.0.0.1.example.com", "::ffff:10.0.0.1"])
    assert.match(refused(host) ?? "", /can be reached from other machines/, host);
  assert.match(refused("0.0.0.0", { hasTls: true }) ?? "", /no token/);
  assert.match(refused("0.0.0.0", { hasTokens: true }) ?? "", /no TLS/);
  assert.equal(refused("0.0.0.0", { hasTls: true, hasTokens: true }), undefined);
  assert.equal(refused("0.0.0.0", { isAllowed: true }), undefined);
});
