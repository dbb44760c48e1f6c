// ostinato: our envoy. Worker and client of `ostinato` on any task hub, told by lines of JSON what to do.
//
//   node interop/envoys/ostinato.ts grpc://127.0.0.1:4001
//
// Owns:    the programs of the house, in our words; README.md lists them, and the other envoys have the same in theirs.
// Is told: requests, one a line, on standard input.
// Tells:   answers, one a line, on standard output; nothing else is ever written there.
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { activity, entity, NonRetriableError, openTaskHub, orchestrator, OrchestrationFailedError } from "ostinato";
import type { EntityMetadata, Failure, InstanceStatus, OrchestrationStatus, Worker } from "ostinato";
import { schedules, withSchedules, type ScheduleDescription } from "ostinato/schedules";
import type { EntitySeen, FailureSeen, InstanceSeen, Operations, ScheduleSeen } from "../envoy.ts";

const url = process.argv[2] ?? "memory:";
const hub = await openTaskHub(url);

// ---- activities

const calls = new Map<string, number>();
const counted = (key: string): number => {
  calls.set(key, (calls.get(key) ?? 0) + 1);
  return calls.get(key)!;
};

interface Order {
  readonly product: string;
  readonly quantity: number;
  readonly price: number;
  readonly labels: readonly string[];
}

const activities = [
  activity("own.greet", async (_ctx, name: string) => `Hello ${name}!`),
  activity("own.square", async (_ctx, n: number) => n * n),
  activity("own.echo", async (_ctx, value: unknown) => value),
  activity("own.nothing", async () => undefined),
  activity("own.describe", async (_ctx, order: Order) => ({
    product: order.product,
    total: order.quantity * order.price,
    labels: order.labels.length,
    paid: false,
    note: null,
  })),
  activity("own.fail", async (_ctx, asked: { message: string; key?: string; nonRetriable?: boolean }) => {
    if (asked.key !== undefined) counted(asked.key);
    const cause = new RangeError(`the cause of ${asked.message}`);
    throw asked.nonRetriable ? new NonRetriableError(asked.message, { cause }) : new Error(asked.message, { cause });
  }),
  activity("own.flaky", async (_ctx, asked: { key: string; failures: number }) => {
    const attempt = counted(asked.key);
    if (attempt <= asked.failures) throw new Error(`attempt ${attempt} failed`);
    return attempt;
  }),
  activity("own.tries", async (_ctx, key: string) => calls.get(key) ?? 0),
  activity("own.slow", async (_ctx, asked: { ms: number; file: string }) => {
    appendFileSync(asked.file, `began ${process.pid}\n`);
    await new Promise((resolve) => setTimeout(resolve, asked.ms));
    appendFileSync(asked.file, `ended ${process.pid}\n`);
    return "slept";
  }),
];

// ---- orchestrators

const retry = (attempts: number) => ({ maxNumberOfAttempts: attempts, firstRetryInterval: "100ms" }) as const;

const orchestrators = [
  orchestrator("own.chain", async (ctx, name: string) => {
    const first = await ctx.callActivity<string, string>("own.greet", name);
    return [first, await ctx.callActivity<string, string>("own.greet", first)];
  }),
  orchestrator("own.fanOut", async (ctx, n: number) => {
    const squares = await ctx.whenAll(Array.from({ length: n }, (_, i) => ctx.callActivity<number, number>("own.square", i)));
    return squares.reduce((sum, square) => sum + square, 0);
  }),
  orchestrator("own.call", async (ctx, asked: { activity: string; input?: unknown }) => ctx.callActivity(asked.activity, asked.input)),
  orchestrator("own.callChild", async (ctx, asked: { child: string; input?: unknown; instanceId?: string }) =>
    ctx.callSubOrchestrator(asked.child, asked.input, asked.instanceId === undefined ? {} : { instanceId: asked.instanceId }),
  ),
  orchestrator("own.timer", async (ctx, ms: number) => {
    const begun = ctx.currentUtcDateTime.getTime();
    await ctx.createTimer({ milliseconds: ms });
    return ctx.currentUtcDateTime.getTime() - begun >= ms;
  }),
  orchestrator("own.waitFor", async (ctx, event: string) => ctx.waitForExternalEvent(event)),
  orchestrator("own.approval", async (ctx, asked: { timeoutMs: number }) => {
    const got = await ctx.first({
      approved: ctx.waitForExternalEvent("approved"),
      late: ctx.createTimer({ milliseconds: asked.timeoutMs }),
    });
    return got.key === "late" ? "timed out" : got.value;
  }),
  orchestrator("own.late", async (ctx, asked: { waitMs: number; event: string }) => {
    await ctx.createTimer({ milliseconds: asked.waitMs });
    return ctx.waitForExternalEvent(asked.event);
  }),
  orchestrator("own.steps", async (ctx) => {
    ctx.setCustomStatus({ step: 1 });
    await ctx.waitForExternalEvent("next");
    ctx.setCustomStatus({ step: 2 });
    return "done";
  }),
  orchestrator("own.countdown", async (ctx, state: { left: number; sum: number }) => {
    if (state.left === 0) return state.sum;
    await ctx.callActivity("own.echo", state.left);
    ctx.continueAsNew({ left: state.left - 1, sum: state.sum + state.left });
    return undefined;
  }),
  orchestrator("own.collect", async (ctx, state: { want: number; got: unknown[] }) => {
    if (state.got.length === 0) await ctx.createTimer("1s");
    const got = [...state.got, await ctx.waitForExternalEvent("item")];
    if (got.length === state.want) return got;
    ctx.continueAsNew({ want: state.want, got });
    return undefined;
  }),
  orchestrator("own.retried", async (ctx, asked: { activity: string; input?: unknown; attempts: number }) =>
    ctx.callActivity(asked.activity, asked.input, { retry: retry(asked.attempts) }),
  ),
  orchestrator("own.retriedChild", async (ctx, asked: { child: string; input?: unknown; attempts: number }) =>
    ctx.callSubOrchestrator(asked.child, asked.input, { retry: retry(asked.attempts) }),
  ),
  orchestrator("own.catching", async (ctx, asked: { activity: string; input?: unknown }) => {
    try {
      return await ctx.callActivity(asked.activity, asked.input);
    } catch (error) {
      const { failure } = error as { failure: Failure };
      return { type: failure.errorType, message: failure.message };
    }
  }),
  orchestrator("own.nest", async (ctx, asked: { child: string; children: number; input?: unknown }) => {
    const children = Array.from({ length: asked.children }, (_, i) =>
      ctx.callSubOrchestrator(asked.child, asked.input, { instanceId: `${ctx.instanceId}.c${i}` }),
    );
    return (await ctx.whenAll(children)).length;
  }),
  orchestrator("own.version", async (ctx) => ctx.version),
  orchestrator("own.parent", async (ctx) => ctx.parent?.instanceId ?? null),
  orchestrator("own.sender", async (ctx, asked: { to: string; event: string; data: unknown }) => {
    ctx.sendEvent(asked.to, asked.event, asked.data);
    return "sent";
  }),
  orchestrator("own.twelve", async (ctx) => {
    await ctx.callActivity("own.greet", "you");
    await ctx.createTimer("100ms");
    await ctx.callSubOrchestrator("own.version");
    return "twelve";
  }),
  orchestrator("own.work", async (ctx, steps: number) => {
    for (let step = 0; step < steps; step++) await ctx.callActivity("own.square", step);
    return (await ctx.whenAll([ctx.callActivity("own.echo", 1), ctx.callActivity("own.echo", 2)])).length + steps;
  }),
];

// ---- entities

interface EntityAsked {
  readonly entity: string;
  readonly operation: string;
  readonly input?: unknown;
}

/** Name and key of an id: the name ends at the second "@". */
const partsOf = (id: string): [name: string, key: string] => [id.slice(1, id.indexOf("@", 1)), id.slice(id.indexOf("@", 1) + 1)];

const entities = [
  entity("own.account", { initial: (): unknown => null }).operations({
    add: (state, amount: number) => state.set(((state.value as number | null) ?? 0) + amount),
    set(state, next: unknown) {
      state.set(next);
    },
    get: (state) => state.value,
    fail(state, message: string) {
      state.set("spoilt");
      throw new Error(message);
    },
    tell: (state, asked: EntityAsked) => state.entity(...partsOf(asked.entity)).signal[asked.operation]!(asked.input),
    start: (state, asked: { orchestrator: string; input: unknown; instanceId: string }) =>
      state.startOrchestrator(asked.orchestrator, asked.input, { instanceId: asked.instanceId }),
  }),
  entity("own.log", { initial: (): unknown[] => [] }).operations({
    append: (state, entry: unknown) => void state.value.push(entry),
    get: (state) => state.value,
  }),
];

const entityOrchestrators = [
  orchestrator("own.entityCall", async (ctx, asked: EntityAsked) =>
    ctx.entity(...partsOf(asked.entity)).call(asked.operation, asked.input),
  ),
  orchestrator("own.entityCatch", async (ctx, asked: EntityAsked) => {
    try {
      return await ctx.entity(...partsOf(asked.entity)).call(asked.operation, asked.input);
    } catch (error) {
      return { message: (error as Error).message };
    }
  }),
  orchestrator("own.entitySignals", async (ctx, asked: { entity: string; operation: string; inputs: readonly unknown[] }) => {
    const it = ctx.entity(...partsOf(asked.entity));
    for (const input of asked.inputs) it.signal[asked.operation]!(input);
    return it.call("get");
  }),
  orchestrator("own.transfer", async (ctx, asked: { from: string; to: string; amount: number; pauseMs: number }) => {
    const [from, to] = [ctx.entity(...partsOf(asked.from)), ctx.entity(...partsOf(asked.to))];
    return ctx.lockEntities([from, to], async () => {
      const has = await from.call<undefined, number>("get");
      const other = await to.call<undefined, number>("get");
      await ctx.createTimer({ milliseconds: asked.pauseMs });
      await from.call("set", has - asked.amount);
      await to.call("set", other + asked.amount);
      return has;
    });
  }),
  orchestrator("own.lockAndFail", async (ctx, asked: { entities: readonly string[]; message: string }) => {
    await ctx.lockEntities(asked.entities.map((each) => ctx.entity(...partsOf(each))));
    throw new Error(asked.message);
  }),
  orchestrator("own.lockAndEnd", async (ctx, asked: { entities: readonly string[] }) => {
    await ctx.lockEntities(asked.entities.map((each) => ctx.entity(...partsOf(each))));
    return ctx.isInCriticalSection;
  }),
  orchestrator("own.lockAndWait", async (ctx, asked: { entities: readonly string[]; event: string }) => {
    const section = await ctx.lockEntities(asked.entities.map((each) => ctx.entity(...partsOf(each))));
    ctx.setCustomStatus("locked");
    const data = await ctx.waitForExternalEvent(asked.event);
    section.release();
    return data;
  }),
];

// ---- what is asked for

let worker: Worker | undefined;

function failureSeen(failure: Failure | undefined): FailureSeen | undefined {
  if (failure === undefined) return undefined;
  const { errorType: type, message, stack, inner, nonRetriable } = failure;
  return { type, message, stack, inner: failureSeen(inner), nonRetriable };
}

function seen(status: OrchestrationStatus): InstanceSeen {
  const { id, name, version, customStatus, input, output, failure, tags } = status;
  return {
    id,
    name,
    version,
    status: status.status,
    input,
    output,
    customStatus,
    failure: failureSeen(failure),
    tags,
    parent: status.parentInstanceId,
  };
}

function entitySeen({ id, state, lockedBy }: EntityMetadata): EntitySeen {
  return { id, state, lockedBy };
}

function scheduleSeen({ id, status, orchestrator: name, input, intervalMs = 0 }: ScheduleDescription): ScheduleSeen {
  return { id, status, orchestrator: name, input, seconds: intervalMs / 1_000 };
}

const operations: Operations = {
  async startWorker({ version }) {
    worker = await hub.startWorker({
      ...withSchedules({ orchestrators: [...orchestrators, ...entityOrchestrators], entities }),
      activities,
      ...(version === undefined ? {} : { versioning: { version, matchStrategy: "strict", failureStrategy: "reject" } }),
    });
  },
  async stopWorker() {
    await worker?.stop({ graceMs: 2_000 });
  },
  async start({ name, input, instanceId, version, tags, delayMs }) {
    const startAt = delayMs === undefined ? undefined : new Date(Date.now() + delayMs);
    const options = {
      ...(instanceId === undefined ? {} : { instanceId }),
      ...(version === undefined ? {} : { version }),
      ...(tags === undefined ? {} : { tags }),
      ...(startAt === undefined ? {} : { startAt }),
    };
    return (await hub.start(name, input, options)).id;
  },
  async get({ instanceId }) {
    const status = await hub.instance(instanceId).status();
    return status === undefined ? undefined : { ...seen(status), waitingFor: status.waitingFor };
  },
  async waitStart({ instanceId, timeoutMs }) {
    return seen(await hub.instance(instanceId).waitForStart({ timeout: { milliseconds: timeoutMs } }));
  },
  async wait({ instanceId, timeoutMs }) {
    const instance = hub.instance(instanceId);
    await instance.result({ timeout: { milliseconds: timeoutMs } }).catch((error: unknown) => {
      // It ended, only not well; the status tells how.
      if (!(error instanceof OrchestrationFailedError)) throw error;
    });
    const status = await instance.status();
    return status === undefined ? undefined : seen(status);
  },
  raise: ({ instanceId, event, data }) => hub.instance(instanceId).raiseEvent(event, data),
  terminate: ({ instanceId, output, recursive }) => hub.instance(instanceId).terminate({ output, recursive }),
  suspend: ({ instanceId, reason }) => hub.instance(instanceId).suspend(reason),
  resume: ({ instanceId, reason }) => hub.instance(instanceId).resume(reason),
  rewind: ({ instanceId, reason }) => hub.instance(instanceId).rewind(reason),
  async restart({ instanceId, newId }) {
    return (await hub.instance(instanceId).restart(newId ? { newInstanceId: true } : {})).id;
  },
  purge: ({ instanceId, recursive }) => hub.instance(instanceId).purge({ recursive }),
  async purgeWhere({ statuses, createdFrom, createdTo }) {
    const query = {
      status: statuses as InstanceStatus[],
      createdFrom: new Date(createdFrom),
      createdTo: new Date(createdTo),
    };
    return (await hub.purge(query)).deletedCount;
  },
  async query({ prefix, statuses, pageSize }) {
    const query = { idPrefix: prefix, ...(statuses === undefined ? {} : { status: statuses as InstanceStatus[] }) };
    const found: InstanceSeen[] = [];
    let pages = 0;
    for await (const page of hub.query(query).pages({ size: pageSize })) {
      if (page.items.length > 0) pages += 1;
      found.push(...page.items.map(seen));
    }
    return { found, pages };
  },
  async listIds({ pageSize }) {
    const found: string[] = [];
    for await (const page of hub.listInstanceIds({}).pages({ size: pageSize })) found.push(...page.items);
    return found;
  },
  async history({ instanceId }) {
    const kinds: string[] = [];
    for await (const event of hub.instance(instanceId).history()) kinds.push(`${event.kind[0]!.toUpperCase()}${event.kind.slice(1)}`);
    return kinds;
  },
  async signalEntity({ entity: id, operation, input, delayMs }) {
    const at = delayMs === undefined ? undefined : new Date(Date.now() + delayMs);
    await hub.entity(...partsOf(id)).signal[operation]!(input, at === undefined ? {} : { at });
  },
  async getEntity({ entity: id }) {
    const found = await hub.entity(...partsOf(id)).metadata();
    // Our client shows what has no state, too.
    return found?.state === undefined ? undefined : entitySeen(found);
  },
  async queryEntities({ prefix, pageSize }) {
    const found: EntitySeen[] = [];
    let pages = 0;
    for await (const page of hub.entities({ idPrefix: prefix }).pages({ size: pageSize })) {
      if (page.items.length > 0) pages += 1;
      found.push(...page.items.map(entitySeen));
    }
    return { found, pages };
  },
  async createSchedule({ id, orchestrator: name, input, seconds }) {
    await schedules(hub).create(id, { orchestrator: name, input, interval: { seconds } });
  },
  updateSchedule: ({ id, seconds }) => schedules(hub).get(id).update({ interval: { seconds } }),
  pauseSchedule: ({ id }) => schedules(hub).get(id).pause(),
  resumeSchedule: ({ id }) => schedules(hub).get(id).resume(),
  deleteSchedule: ({ id }) => schedules(hub).get(id).delete(),
  async describeSchedule({ id }) {
    const found = await schedules(hub).get(id).describe();
    return found && scheduleSeen(found);
  },
  listSchedules: async ({ prefix }) => (await schedules(hub).list({ idPrefix: prefix })).map(scheduleSeen),
  cleanEntities: async () => (await hub.cleanEntityStorage()).emptyEntitiesRemoved,
  async close() {
    await worker?.stop({ graceMs: 0 });
    await hub.close();
  },
};

// ---- the lines

interface Request {
  readonly number: number;
  readonly op: keyof Operations;
  readonly given: never;
}

const answer = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { number, op, given } = JSON.parse(line) as Request;
  Promise.resolve(operations[op](given)).then(
    (value: unknown) => {
      answer({ number, value });
      if (op === "close") lines.close();
    },
    (error: Error & { code?: string }) => answer({ number, error: { type: error.name, code: error.code, message: error.message } }),
  );
});
lines.on("close", () => void hub.close().finally(() => process.exit(0)));
answer({ ready: true });
