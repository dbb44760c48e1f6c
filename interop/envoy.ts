// envoy: a program in some language that acts for us as worker and client, told by lines of JSON what to do.
//
// Owns:    what may be asked of an envoy, and how its answers look; the life of its process.
// Is told: a command to start it by. A request is `{ number, op, given }`, an answer `{ number, value }` or `{ number, error }`; the first
//          line is `{ ready: true }`.
// Always:  V1 an envoy ends when its standard input ends, so none outlives the run; `kill` is kill -9, by its process id alone.
//          V2 payloads are told as the values that their JSON text stands for; what was absent, empty or `null` is left out or `null`.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** A failure, as the client at hand shows it. */
export interface FailureSeen {
  readonly type: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly inner?: FailureSeen | undefined;
  readonly nonRetriable?: boolean | undefined;
}

/** An instance, as the client at hand shows it: what it does not show is not there. */
export interface InstanceSeen {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly version?: string | undefined;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly customStatus?: unknown;
  readonly failure?: FailureSeen | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly parent?: string | undefined;
  /** In words, where somebody can tell. */
  readonly waitingFor?: readonly string[] | undefined;
}

/** An entity, as the client at hand shows it. */
export interface EntitySeen {
  readonly id: string;
  readonly state?: unknown;
  /** The id of the orchestration that has it to itself. */
  readonly lockedBy?: string | undefined;
}

/** A schedule, as the client at hand shows it. */
export interface ScheduleSeen {
  readonly id: string;
  readonly status: "Active" | "Paused";
  readonly orchestrator: string;
  readonly input?: unknown;
  readonly seconds: number;
}

/** What every envoy can be asked for, as far as its SDK has it. */
export interface Operations {
  /** With a version the worker runs instances of exactly this one and hands others back. */
  startWorker(given: { version?: string }): Promise<void>;
  stopWorker(given: object): Promise<void>;
  start(given: {
    name: string;
    input?: unknown;
    instanceId?: string;
    version?: string;
    tags?: Record<string, string>;
    delayMs?: number;
  }): Promise<string>;
  get(given: { instanceId: string }): Promise<InstanceSeen | undefined>;
  waitStart(given: { instanceId: string; timeoutMs: number }): Promise<InstanceSeen | undefined>;
  wait(given: { instanceId: string; timeoutMs: number }): Promise<InstanceSeen | undefined>;
  raise(given: { instanceId: string; event: string; data?: unknown }): Promise<void>;
  terminate(given: { instanceId: string; output?: unknown; recursive: boolean }): Promise<void>;
  suspend(given: { instanceId: string; reason?: string }): Promise<void>;
  resume(given: { instanceId: string; reason?: string }): Promise<void>;
  rewind(given: { instanceId: string; reason?: string }): Promise<void>;
  /** The id of the new instance. */
  restart(given: { instanceId: string; newId: boolean }): Promise<string>;
  /** How many were removed. */
  purge(given: { instanceId: string; recursive: boolean }): Promise<number>;
  purgeWhere(given: { statuses: string[]; createdFrom: number; createdTo: number }): Promise<number>;
  query(given: { prefix: string; statuses?: string[]; pageSize: number }): Promise<{ found: InstanceSeen[]; pages: number }>;
  listIds(given: { pageSize: number }): Promise<string[]>;
  /** The kinds of the events, as the protocol names them. */
  history(given: { instanceId: string }): Promise<string[]>;
  signalEntity(given: { entity: string; operation: string; input?: unknown; delayMs?: number }): Promise<void>;
  getEntity(given: { entity: string }): Promise<EntitySeen | undefined>;
  /** With their states; how many pages there were, too. */
  queryEntities(given: { prefix: string; pageSize: number }): Promise<{ found: readonly EntitySeen[]; pages: number }>;
  /** How many empty entities were removed. */
  cleanEntities(given: object): Promise<number>;
  createSchedule(given: { id: string; orchestrator: string; input?: unknown; seconds: number }): Promise<void>;
  updateSchedule(given: { id: string; seconds: number }): Promise<void>;
  pauseSchedule(given: { id: string }): Promise<void>;
  resumeSchedule(given: { id: string }): Promise<void>;
  deleteSchedule(given: { id: string }): Promise<void>;
  describeSchedule(given: { id: string }): Promise<ScheduleSeen | undefined>;
  listSchedules(given: { prefix: string }): Promise<readonly ScheduleSeen[]>;
  close(given: object): Promise<void>;
}

/** How an envoy is started. */
export interface EnvoyCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What an envoy answered when it could not do what it was asked for. */
export class EnvoyError extends Error {
  readonly type: string;
  readonly code: string | undefined;

  constructor(op: string, error: { type?: string; code?: string; message?: string }) {
    super(`${op}: ${error.type ?? "an error"}: ${error.message ?? "it says no more"}`);
    this.name = "EnvoyError";
    this.type = error.type ?? "";
    this.code = error.code;
  }
}

/** A running envoy. */
export interface Envoy extends Operations {
  readonly pid: number;
  /** kill -9. */
  kill(): Promise<void>;
  /** Lets it end by itself, and helps after two seconds. */
  end(): Promise<void>;
  /** The last lines that it wrote to standard error. */
  said(): string;
}

interface Waiting {
  readonly op: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

const OPERATIONS: { readonly [K in keyof Operations]: true } = {
  startWorker: true,
  stopWorker: true,
  start: true,
  get: true,
  waitStart: true,
  wait: true,
  raise: true,
  terminate: true,
  suspend: true,
  resume: true,
  rewind: true,
  restart: true,
  purge: true,
  purgeWhere: true,
  query: true,
  listIds: true,
  history: true,
  signalEntity: true,
  getEntity: true,
  queryEntities: true,
  cleanEntities: true,
  createSchedule: true,
  updateSchedule: true,
  pauseSchedule: true,
  resumeSchedule: true,
  deleteSchedule: true,
  describeSchedule: true,
  listSchedules: true,
  close: true,
};

/** Starts an envoy and waits until it says that it is ready. */
export async function startEnvoy(command: EnvoyCommand, readyMs = 20_000): Promise<Envoy> {
  const child = spawn(command.file, [...command.args], { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...command.env } });
  const said = lastLines(child);
  const waiting = new Map<number, Waiting>();
  const gone = new Promise<void>((resolve) => {
    const leave = (why: string): void => {
      for (const asked of waiting.values()) asked.reject(new Error(`${asked.op}: the envoy ${why}.\n${said()}`));
      waiting.clear();
      resolve();
    };
    child.once("exit", (code, signal) => leave(`has ended (${signal ?? code})`));
    child.once("error", (error) => leave(`could not be started: ${error.message}`));
  });
  child.stdin.on("error", () => undefined);

  const { promise: isReady, resolve: ready } = Promise.withResolvers<void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const answer = parsed(line);
    if (answer?.ready === true) ready();
    const asked = answer?.number === undefined ? undefined : waiting.get(answer.number);
    if (answer === undefined || asked === undefined) return;
    waiting.delete(answer.number!);
    if (answer.error === undefined) asked.resolve(answer.value ?? undefined);
    else asked.reject(new EnvoyError(asked.op, answer.error));
  });

  let number = 0;
  const ask = (op: string, given: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (child.exitCode !== null || child.signalCode !== null) return reject(new Error(`${op}: the envoy has ended.\n${said()}`));
      number += 1;
      waiting.set(number, { op, resolve, reject });
      child.stdin.write(`${JSON.stringify({ number, op, given })}\n`);
    });
  const operations = Object.fromEntries(Object.keys(OPERATIONS).map((op) => [op, (given: unknown) => ask(op, given)]));

  if ((await firstOf(isReady, gone, readyMs)) !== "done") {
    child.kill("SIGKILL");
    throw new Error(`${command.file} is not ready after ${readyMs / 1_000} s.\n${said()}`);
  }
  return {
    ...(operations as unknown as Operations),
    pid: child.pid!,
    said,
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
    async end() {
      child.stdin.end();
      if ((await firstOf(gone, undefined, 2_000)) !== "done") child.kill("SIGKILL");
      await gone;
    },
  };
}

interface Answer {
  readonly ready?: boolean;
  readonly number?: number;
  readonly value?: unknown;
  readonly error?: { type?: string; code?: string; message?: string };
}

/** A line that is no JSON is somebody's chatter: SDKs write to standard output, too. */
function parsed(line: string): Answer | undefined {
  try {
    return JSON.parse(line) as Answer;
  } catch {
    return undefined;
  }
}

/** Keeps the last lines of a child's standard error. */
export function lastLines(child: ChildProcess, count = 10): () => string {
  const lines: string[] = [];
  createInterface({ input: child.stderr! }).on("line", (line) => {
    lines.push(line.slice(0, 400));
    if (lines.length > count) lines.shift();
  });
  return () => lines.join("\n");
}

/** "done" when the first comes first, "gone" for the second, "late" when neither comes in time. */
export async function firstOf(
  first: Promise<unknown>,
  second: Promise<unknown> | undefined,
  ms: number,
): Promise<"done" | "gone" | "late"> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      first.then(() => "done" as const),
      ...(second === undefined ? [] : [second.then(() => "gone" as const)]),
      new Promise<"late">((resolve) => (timer = setTimeout(() => resolve("late"), ms))),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
