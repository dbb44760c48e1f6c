// javascript: the envoy of @microsoft/durabletask-js. Its programs are those that README.md lists, as this SDK has them.
//
//   node interop/envoys/javascript.mjs 127.0.0.1:4001 <folder in which the SDK is installed>
import { appendFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [address, folder] = process.argv.slice(2);
const sdk = createRequire(join(folder, "package.json"))("@microsoft/durabletask-js");
const {
  EntityInstanceId,
  OrchestrationStatus,
  RetryPolicy,
  TaskHubGrpcClient,
  TaskHubGrpcWorker,
  VersionFailureStrategy,
  VersionMatchStrategy,
} = sdk;

/** The SDK logs to standard output, which belongs to the answers here. */
const quiet = () => undefined;
const toStandardError = (message) => void process.stderr.write(`${message}\n`);
const logger = { error: toStandardError, warn: toStandardError, info: quiet, debug: quiet };
const client = new TaskHubGrpcClient({ hostAddress: address, logger });
let worker;

// ---- activities

const calls = new Map();
const counted = (key) => {
  calls.set(key, (calls.get(key) ?? 0) + 1);
  return calls.get(key);
};

const activities = {
  greet: async (_, name) => `Hello ${name}!`,
  square: async (_, n) => n * n,
  echo: async (_, value) => value,
  nothing: async () => undefined,
  describe: async (_, order) => ({
    product: order.product,
    total: order.quantity * order.price,
    labels: order.labels.length,
    paid: false,
    note: null,
  }),
  fail: async (_, asked) => {
    if (asked.key !== undefined) counted(asked.key);
    throw new Error(asked.message, { cause: new RangeError(`the cause of ${asked.message}`) });
  },
  flaky: async (_, asked) => {
    const attempt = counted(asked.key);
    if (attempt <= asked.failures) throw new Error(`attempt ${attempt} failed`);
    return attempt;
  },
  tries: async (_, key) => calls.get(key) ?? 0,
  slow: async (_, asked) => {
    appendFileSync(asked.file, `began ${process.pid}\n`);
    await new Promise((resolve) => setTimeout(resolve, asked.ms));
    appendFileSync(asked.file, `ended ${process.pid}\n`);
    return "slept";
  },
};

// ---- orchestrators

const retry = (attempts) => new RetryPolicy({ maxNumberOfAttempts: attempts, firstRetryIntervalInMilliseconds: 100 });

const orchestrators = {
  chain: async function* (ctx, name) {
    const first = yield ctx.callActivity("js.greet", name);
    return [first, yield ctx.callActivity("js.greet", first)];
  },
  fanOut: async function* (ctx, n) {
    const squares = yield sdk.whenAll(Array.from({ length: n }, (_, i) => ctx.callActivity("js.square", i)));
    return squares.reduce((sum, square) => sum + square, 0);
  },
  call: async function* (ctx, asked) {
    return yield ctx.callActivity(asked.activity, asked.input);
  },
  callChild: async function* (ctx, asked) {
    return yield ctx.callSubOrchestrator(asked.child, asked.input, asked.instanceId === undefined ? {} : { instanceId: asked.instanceId });
  },
  timer: async function* (ctx, ms) {
    const begun = ctx.currentUtcDateTime.getTime();
    yield ctx.createTimer(new Date(begun + ms));
    return ctx.currentUtcDateTime.getTime() - begun >= ms;
  },
  waitFor: async function* (ctx, event) {
    return yield ctx.waitForExternalEvent(event);
  },
  approval: async function* (ctx, asked) {
    const approved = ctx.waitForExternalEvent("approved");
    const late = ctx.createTimer(new Date(ctx.currentUtcDateTime.getTime() + asked.timeoutMs));
    const winner = yield sdk.whenAny([approved, late]);
    if (winner === late) return "timed out";
    late.cancel();
    return approved.getResult();
  },
  late: async function* (ctx, asked) {
    yield ctx.createTimer(new Date(ctx.currentUtcDateTime.getTime() + asked.waitMs));
    return yield ctx.waitForExternalEvent(asked.event);
  },
  steps: async function* (ctx) {
    ctx.setCustomStatus({ step: 1 });
    yield ctx.waitForExternalEvent("next");
    ctx.setCustomStatus({ step: 2 });
    return "done";
  },
  countdown: async function* (ctx, state) {
    if (state.left === 0) return state.sum;
    yield ctx.callActivity("js.echo", state.left);
    ctx.continueAsNew({ left: state.left - 1, sum: state.sum + state.left }, false);
  },
  collect: async function* (ctx, state) {
    if (state.got.length === 0) yield ctx.createTimer(new Date(ctx.currentUtcDateTime.getTime() + 1_000));
    const got = [...state.got, yield ctx.waitForExternalEvent("item")];
    if (got.length === state.want) return got;
    ctx.continueAsNew({ want: state.want, got }, true);
  },
  retried: async function* (ctx, asked) {
    return yield ctx.callActivity(asked.activity, asked.input, { retry: retry(asked.attempts) });
  },
  retriedChild: async function* (ctx, asked) {
    return yield ctx.callSubOrchestrator(asked.child, asked.input, { retry: retry(asked.attempts) });
  },
  catching: async function* (ctx, asked) {
    try {
      return yield ctx.callActivity(asked.activity, asked.input);
    } catch (error) {
      return { type: error.details.errorType, message: error.details.message };
    }
  },
  nest: async function* (ctx, asked) {
    const children = Array.from({ length: asked.children }, (_, i) =>
      ctx.callSubOrchestrator(asked.child, asked.input, { instanceId: `${ctx.instanceId}.c${i}` }),
    );
    return (yield sdk.whenAll(children)).length;
  },
  version: async function* (ctx) {
    return ctx.version;
  },
  parent: async function* (ctx) {
    return ctx.parent?.instanceId ?? null;
  },
  sender: async function* (ctx, asked) {
    ctx.sendEvent(asked.to, asked.event, asked.data);
    return "sent";
  },
  twelve: async function* (ctx) {
    yield ctx.callActivity("js.greet", "you");
    yield ctx.createTimer(new Date(ctx.currentUtcDateTime.getTime() + 100));
    yield ctx.callSubOrchestrator("js.version");
    return "twelve";
  },
  work: async function* (ctx, steps) {
    for (let step = 0; step < steps; step++) yield ctx.callActivity("js.square", step);
    return (yield sdk.whenAll([ctx.callActivity("js.echo", 1), ctx.callActivity("js.echo", 2)])).length + steps;
  },
};

// ---- entities

const entityIn = (id) => EntityInstanceId.fromString(id);

/** An entity of functions of its state and an input. */
const entityOf = (operations) => () => ({ run: (operation) => operations[operation.name](operation, operation.getInput()) });
const kept = (operation, state) => {
  operation.state.setState(state);
  return state;
};

const entities = {
  account: entityOf({
    add: (operation, amount) => kept(operation, (operation.state.getState() ?? 0) + amount),
    set: (operation, state) => void kept(operation, state),
    get: (operation) => operation.state.getState() ?? null,
    delete: (operation) => void operation.state.setState(null),
    fail(operation, message) {
      kept(operation, "spoilt");
      throw new Error(message);
    },
    tell: (operation, asked) => operation.context.signalEntity(entityIn(asked.entity), asked.operation, asked.input),
    start: (operation, asked) =>
      operation.context.scheduleNewOrchestration(asked.orchestrator, asked.input, { instanceId: asked.instanceId }),
  }),
  log: entityOf({
    append: (operation, entry) => void kept(operation, [...(operation.state.getState() ?? []), entry]),
    get: (operation) => operation.state.getState() ?? [],
  }),
};

Object.assign(orchestrators, {
  entityCall: async function* (ctx, asked) {
    return yield ctx.entities.callEntity(entityIn(asked.entity), asked.operation, asked.input);
  },
  entityCatch: async function* (ctx, asked) {
    try {
      return yield ctx.entities.callEntity(entityIn(asked.entity), asked.operation, asked.input);
    } catch (error) {
      return { message: error.message };
    }
  },
  entitySignals: async function* (ctx, asked) {
    for (const input of asked.inputs) ctx.entities.signalEntity(entityIn(asked.entity), asked.operation, input);
    return yield ctx.entities.callEntity(entityIn(asked.entity), "get");
  },
  transfer: async function* (ctx, asked) {
    const [from, to] = [entityIn(asked.from), entityIn(asked.to)];
    const lock = yield ctx.entities.lockEntities(from, to);
    const has = yield ctx.entities.callEntity(from, "get");
    const other = yield ctx.entities.callEntity(to, "get");
    yield ctx.createTimer(new Date(ctx.currentUtcDateTime.getTime() + asked.pauseMs));
    yield ctx.entities.callEntity(from, "set", has - asked.amount);
    yield ctx.entities.callEntity(to, "set", other + asked.amount);
    lock.release();
    return has;
  },
  lockAndFail: async function* (ctx, asked) {
    yield ctx.entities.lockEntities(...asked.entities.map(entityIn));
    throw new Error(asked.message);
  },
  lockAndEnd: async function* (ctx, asked) {
    yield ctx.entities.lockEntities(...asked.entities.map(entityIn));
    return ctx.entities.isInCriticalSection().inSection;
  },
  lockAndWait: async function* (ctx, asked) {
    const lock = yield ctx.entities.lockEntities(...asked.entities.map(entityIn));
    ctx.setCustomStatus("locked");
    const data = yield ctx.waitForExternalEvent(asked.event);
    lock.release();
    return data;
  },
});

// ---- what is asked for

const entitySeen = (entity) =>
  entity === undefined ? undefined : { id: entity.id.toString(), state: entity.state, lockedBy: entity.lockedBy };
const read = (text) => (text === undefined || text === "" ? undefined : JSON.parse(text));
const failureSeen = (failure) =>
  failure === undefined ? undefined : { type: failure.errorType, message: failure.message, stack: failure.stackTrace };
const seen = (state) =>
  state === undefined
    ? undefined
    : {
        id: state.instanceId,
        name: state.name,
        status: OrchestrationStatus[state.runtimeStatus],
        input: read(state.serializedInput),
        output: read(state.serializedOutput),
        customStatus: read(state.serializedCustomStatus),
        failure: failureSeen(state.failureDetails),
        tags: state.tags,
      };
const statusesOf = (names) => names.map((name) => OrchestrationStatus[name]);

const operations = {
  async startWorker({ version }) {
    worker = new TaskHubGrpcWorker({
      hostAddress: address,
      logger,
      workItemFilters: "auto",
      ...(version === undefined
        ? {}
        : {
            versioning: { version, matchStrategy: VersionMatchStrategy.Strict, failureStrategy: VersionFailureStrategy.Reject },
          }),
    });
    for (const [name, run] of Object.entries(orchestrators)) worker.addNamedOrchestrator(`js.${name}`, run);
    for (const [name, run] of Object.entries(activities)) worker.addNamedActivity(`js.${name}`, run);
    for (const [name, factory] of Object.entries(entities)) worker.addNamedEntity(`js.${name}`, factory);
    await worker.start();
  },
  stopWorker: () => worker?.stop(),
  start({ name, input, instanceId, version, tags, delayMs }) {
    const startAt = delayMs === undefined ? undefined : new Date(Date.now() + delayMs);
    return client.scheduleNewOrchestration(name, input, { instanceId, version, tags, startAt });
  },
  get: async ({ instanceId }) => seen(await client.getOrchestrationState(instanceId, true)),
  waitStart: async ({ instanceId, timeoutMs }) => seen(await client.waitForOrchestrationStart(instanceId, true, timeoutMs / 1_000)),
  wait: async ({ instanceId, timeoutMs }) => seen(await client.waitForOrchestrationCompletion(instanceId, true, timeoutMs / 1_000)),
  raise: ({ instanceId, event, data }) => client.raiseOrchestrationEvent(instanceId, event, data),
  terminate: ({ instanceId, output, recursive }) => client.terminateOrchestration(instanceId, sdk.terminateOptions({ output, recursive })),
  suspend: ({ instanceId }) => client.suspendOrchestration(instanceId),
  resume: ({ instanceId }) => client.resumeOrchestration(instanceId),
  rewind: ({ instanceId, reason }) => client.rewindInstance(instanceId, reason ?? ""),
  restart: ({ instanceId, newId }) => client.restartOrchestration(instanceId, newId),
  purge: async ({ instanceId, recursive }) => (await client.purgeOrchestration(instanceId, { recursive }))?.deletedInstanceCount ?? 0,
  async purgeWhere({ statuses, createdFrom, createdTo }) {
    const criteria = new sdk.PurgeInstanceCriteria();
    criteria.setCreatedTimeFrom(new Date(createdFrom));
    criteria.setCreatedTimeTo(new Date(createdTo));
    criteria.setRuntimeStatusList(statusesOf(statuses));
    return (await client.purgeOrchestration(criteria))?.deletedInstanceCount ?? 0;
  },
  async query({ prefix, statuses, pageSize }) {
    const found = [];
    let pages = 0;
    const filter = {
      instanceIdPrefix: prefix,
      pageSize,
      fetchInputsAndOutputs: true,
      ...(statuses ? { statuses: statusesOf(statuses) } : {}),
    };
    for await (const page of client.getAllInstances(filter).asPages()) {
      if (page.values.length > 0) pages += 1;
      found.push(...page.values.map(seen));
    }
    return { found, pages };
  },
  async listIds({ pageSize }) {
    const found = [];
    let lastInstanceKey;
    do {
      const page = await client.listInstanceIds({ pageSize, ...(lastInstanceKey === undefined ? {} : { lastInstanceKey }) });
      found.push(...page.values);
      lastInstanceKey = page.continuationToken;
    } while (lastInstanceKey !== undefined);
    return found;
  },
  history: async ({ instanceId }) => (await client.getOrchestrationHistory(instanceId)).map((event) => event.type),
  signalEntity: ({ entity, operation, input, delayMs }) =>
    client.signalEntity(entityIn(entity), operation, input, delayMs === undefined ? {} : { signalTime: new Date(Date.now() + delayMs) }),
  getEntity: async ({ entity }) => entitySeen(await client.getEntity(entityIn(entity), true)),
  async queryEntities({ prefix, pageSize }) {
    const found = [];
    let pages = 0;
    for await (const page of client.getEntities({ instanceIdStartsWith: prefix, includeState: true, pageSize }).asPages()) {
      if (page.values.length > 0) pages += 1;
      found.push(...page.values.map(entitySeen));
    }
    return { found, pages };
  },
  cleanEntities: async () =>
    (await client.cleanEntityStorage({ removeEmptyEntities: true, releaseOrphanedLocks: true }, true)).emptyEntitiesRemoved,
  async close() {
    await worker?.stop();
    await client.stop();
  },
};

// ---- the lines

const answer = (line) => void process.stdout.write(`${JSON.stringify(line)}\n`);
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { number, op, given } = JSON.parse(line);
  Promise.resolve()
    .then(() => operations[op](given))
    .then(
      (value) => answer({ number, value: value ?? null }),
      (error) =>
        answer({
          number,
          error: { type: error.name, code: error.code === undefined ? undefined : String(error.code), message: error.message },
        }),
    );
});
lines.on("close", () => process.exit(0));
answer({ ready: true });
