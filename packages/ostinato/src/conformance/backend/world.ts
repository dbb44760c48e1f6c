// world: what every story of this kit happens in: a fresh task hub, its workers, and its time.
//
// Owns:    how a story waits. It moves the clock where it may, and awaits otherwise; it never sleeps.
// Is told: how to make the hub under test.
// Tells:   each story its world; when a story hangs, what the instances of its hub were waiting for.
// Always:  W1 a story has a hub of its own, and leaves no worker and no hub behind, however it ends.
//          W2 a story that hangs fails with a sentence, well before the runner's own patience ends.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import {
  OrchestrationFailedError,
  type DetailedStatus,
  type HistoryEvent,
  type OrchestrationHandle,
  type Hub,
  type Worker,
  type WorkerOptions,
} from "../../index.ts";
import { assertSound } from "./history-rules.ts";

/** A hub to try, and what can be done to it from outside. */
export interface HubUnderTest {
  readonly hub: Hub;
  /** Lets time pass for the hub and everything that works on it. Absent: the hub runs on real time. */
  advance?(ms: number): Promise<void>;
  /** Ends the process of the hub without a goodbye, as a crash does, and opens its store again. Absent: the chapter on crashes is skipped. */
  restart?(): Promise<Hub>;
  /** What was counted where the hub is kept; absent: the hub's own counters say it. */
  counters?(): Readonly<Record<string, number>>;
  /** Something in it beats every few seconds for as long as time passes, so that years of virtual time cannot be let pass in a moment. */
  readonly heartbeats?: boolean;
  dispose(): Promise<void>;
}

/** What a story may ask of the hub that it is told in. */
export interface HubRequest {
  /** The version of instances that are started without one. */
  readonly defaultVersion?: string;
}

/** Makes a hub with an empty store, on which work for names that nobody serves waits. */
export type MakeHub = (request: HubRequest) => Promise<HubUnderTest>;

/** What a story is given. */
export interface World {
  /** The hub; another one after a restart. */
  readonly hub: Hub;
  /** A short while, in milliseconds: long enough to be told from none, short enough to wait for. */
  readonly unitMs: number;
  /** Whether time is the story's to move. */
  readonly virtual: boolean;
  /** Whether years can pass in a moment. */
  readonly leaps: boolean;
  /** Starts a worker. It is stopped with the story. */
  work(options: WorkerOptions): Promise<Worker>;
  /** Awaits what will happen, and lets time pass meanwhile. */
  until<T>(wanted: PromiseLike<T>): Promise<T>;
  /** The output of an instance, whose history is checked on the way. */
  output<O>(handle: OrchestrationHandle<O>): Promise<O>;
  /** The error with which an instance ended, whose history is checked on the way. */
  failure(handle: OrchestrationHandle): Promise<OrchestrationFailedError>;
  /** The first status that is as wanted; asked for again and again while time stands, or passes. */
  seen<O>(
    handle: OrchestrationHandle<O>,
    wanted: (status: DetailedStatus<O>) => boolean,
    time?: "stands" | "passes",
  ): Promise<DetailedStatus<O>>;
  /** The first history that is as wanted; asked for again and again while time stands, or passes. */
  recorded(
    handle: OrchestrationHandle,
    wanted: (history: readonly HistoryEvent[]) => boolean,
    time?: "stands" | "passes",
  ): Promise<readonly HistoryEvent[]>;
  /** The first answer that is as wanted; asked for again and again while time stands, or passes. */
  asked<T>(ask: () => PromiseLike<T>, wanted: (answer: T) => boolean, time?: "stands" | "passes"): Promise<T>;
  /** Lets time pass. Only where time is virtual. */
  pass(ms: number): Promise<void>;
  /** What the hub's clock says. */
  now(): Promise<number>;
  /** What was counted under this name where the hub is kept. */
  counted(name: string): number;
  /** Crashes the hub and opens it again; its workers are gone with it. */
  readonly restart: (() => Promise<void>) | undefined;
  /** Leaves the story out, for a reason. */
  skip(reason: string): void;
}

/** One story: what is promised, and how it shows. */
export type Story = (promise: string, tell: (world: World) => Promise<void>, request?: HubRequest) => void;

/** A chapter tells stories. */
export type Chapter = (story: Story) => void;

const VIRTUAL_UNIT_MS = 60_000;
const REAL_UNIT_MS = 30;
/** What needs no time has happened when it was asked for so often. */
const ASKED_BEFORE_TIME_PASSES = 20;
/** How long a story may hang before it says so. */
const PATIENCE_MS = 8_000;
/** How long time that something holds is waited for when there is nothing else to wait for. */
const GRACE_MS = 200;

/** Tells one story in a world of its own. */
export async function tellStory(
  make: MakeHub,
  request: HubRequest,
  test: TestContext,
  tell: (world: World) => Promise<void>,
): Promise<void> {
  const under = await make(request);
  let { hub } = under;
  let workers: Worker[] = [];
  const advance = under.advance && ((ms: number) => under.advance?.(ms));
  const unitMs = advance === undefined ? REAL_UNIT_MS : VIRTUAL_UNIT_MS;

  const until = async <T>(wanted: PromiseLike<T>): Promise<T> => {
    const asked = Promise.resolve(wanted);
    let pending = true;
    const settled = asked.finally(() => (pending = false));
    settled.catch(() => undefined);
    const patience = startPatience();
    try {
      while (pending && !patience.over && advance !== undefined) {
        await turnOfTheLoop();
        if (pending) await unlessHeld(advance(unitMs), settled);
      }
      const first = await Promise.race([settled.then((value) => ({ value })), patience.end]);
      if (first === "over") throw new Error(await describeHang(hub));
      return first.value;
    } finally {
      patience.stop();
    }
  };

  /** Asks again until the answer is as wanted. */
  const askAgain = async <T>(
    ask: () => PromiseLike<T>,
    wanted: (answer: T) => boolean,
    time: "stands" | "passes" = "stands",
  ): Promise<T> => {
    const patience = startPatience();
    try {
      for (let asked = 1; !patience.over; asked++) {
        const answer = await ask();
        if (wanted(answer)) return answer;
        await turnOfTheLoop();
        if (time === "passes" && asked % ASKED_BEFORE_TIME_PASSES === 0) await advance?.(unitMs);
      }
      throw new Error(await describeHang(hub));
    } finally {
      patience.stop();
    }
  };

  const world: World = {
    get hub() {
      return hub;
    },
    unitMs,
    virtual: advance !== undefined,
    leaps: advance !== undefined && under.heartbeats !== true,
    async work(options) {
      const worker = await hub.startWorker(options);
      workers.push(worker);
      return worker;
    },
    until,
    async output(handle) {
      const output = await until(handle.result());
      assertSound(await handle.history());
      return output;
    },
    async failure(handle) {
      const error = await until(
        handle.result().then(
          (output) => assert.fail(`'${handle.id}' was to fail, and completed with ${JSON.stringify(output)}`),
          (thrown: unknown) => thrown,
        ),
      );
      assert.ok(error instanceof OrchestrationFailedError, `'${handle.id}' was to fail as an orchestration does; got ${String(error)}`);
      assertSound(await handle.history());
      return error;
    },
    async seen(handle, wanted, time) {
      const status = await askAgain(
        () => handle.status(),
        (each) => each !== undefined && wanted(each),
        time,
      );
      assert.ok(status);
      return status;
    },
    recorded: (handle, wanted, time) => askAgain(() => handle.history(), wanted, time),
    asked: askAgain,
    async pass(ms) {
      assert.ok(advance, "only virtual time can be moved");
      await advance(ms);
    },
    async now() {
      const reading = await hub.start("what time it is");
      const status = await reading.status();
      await reading.terminate();
      assert.ok(status);
      return status.createdAt.getTime();
    },
    counted: (name) => (under.counters?.() ?? hub.counters())[name] ?? 0,
    restart:
      under.restart &&
      (async () => {
        workers = [];
        hub = (await under.restart?.()) ?? hub;
      }),
    skip: (reason) => test.skip(reason),
  };

  try {
    await tell(world);
  } finally {
    for (const worker of workers) await worker.stop({ graceMs: 0 });
    await under.dispose();
  }
}

/** The events of an instance's history. */
export async function historyOf(handle: OrchestrationHandle): Promise<readonly HistoryEvent[]> {
  return await handle.history();
}

/** The events of one kind. */
export function ofKind<K extends HistoryEvent["kind"]>(history: readonly HistoryEvent[], kind: K): Extract<HistoryEvent, { kind: K }>[] {
  return history.filter((event): event is Extract<HistoryEvent, { kind: K }> => event.kind === kind);
}

/** Something that a story's activities and the story tell each other. */
export interface Signal<T = void> {
  readonly given: Promise<T>;
  give(value: T): void;
}

/** Makes a signal that has not been given. */
export function signal<T = void>(): Signal<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { given: promise, give: resolve };
}

/** What a promise was rejected with. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    const value = await promise;
    return assert.fail(`this was to be refused, and gave ${JSON.stringify(value)}`);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return error;
  }
}

/** That a promise is rejected with an error of this code. */
export async function refused(promise: PromiseLike<unknown>, code: string): Promise<Error> {
  const error = await rejection(promise);
  assert.ok(error instanceof Error, `this was to be refused with ${code}; got ${String(error)}`);
  assert.equal((error as { code?: unknown }).code, code, error.message);
  return error;
}

interface Patience {
  readonly over: boolean;
  readonly end: Promise<"over">;
  stop(): void;
}

function startPatience(ms = PATIENCE_MS): Patience {
  const { promise, resolve } = Promise.withResolvers<"over">();
  let over = false;
  // tidy: allow timers because a story that hangs has to end, and nothing else waits for this
  const timer = setTimeout(() => {
    over = true;
    resolve("over");
  }, ms);
  return {
    get over() {
      return over;
    },
    end: promise,
    stop: () => clearTimeout(timer),
  };
}

/** Waits for time to pass, but not for ever once what was awaited has come: what came may be a turn that hangs, and holds the time. */
async function unlessHeld(passing: Promise<void> | undefined, awaited: PromiseLike<unknown>): Promise<void> {
  let grace: Patience | undefined;
  let isOver = false;
  const leave = async (): Promise<void> => {
    if (isOver) return;
    grace = startPatience(GRACE_MS);
    await grace.end;
  };
  try {
    await Promise.race([passing, awaited.then(leave, leave)]);
  } finally {
    isOver = true;
    grace?.stop();
  }
}

/** Everything that is ready runs first: microtasks, and what the platform has to say. */
function turnOfTheLoop(): Promise<void> {
  // tidy: allow timers because whoever moves a virtual clock or asks for a status again has to let the hub run in between
  return new Promise((resolve) => void setImmediate(resolve));
}

async function describeHang(hub: Hub): Promise<string> {
  const lines: string[] = [];
  for await (const { id, name } of hub.query()) {
    const status = await hub.instance(id).status();
    const history = await hub.instance(id).history();
    if (status !== undefined)
      lines.push(
        `'${id}' of '${name}' is ${status.status}; it waits for: ${status.waitingFor.join("; ") || "nothing"}; ` +
          `its history: ${history.map((event) => event.kind).join(", ") || "none"}`,
      );
    if (lines.length === 20) break;
  }
  for await (const { id, lockedBy, backlogQueueSize, stall } of hub.entities({ includeTransient: true, includeState: false })) {
    lines.push(
      `'${id}' has ${backlogQueueSize} operations to do; it is locked by ${lockedBy ?? "nobody"}${stall === undefined ? "" : `; ${stall.reason}`}`,
    );
    if (lines.length === 40) break;
  }
  return `Nothing came of this in ${PATIENCE_MS} ms. ${lines.join("\n  ")}`;
}
