// story: one thing that has to work, told once for all peers.
//
// Owns:    what a story is, what it is given, and how it waits.
// Always:  S1 a story knows no SDK: it speaks to envoys alone, so the same sentences try every pair of a client, a worker and a server.
//          S2 every wait has an end, and what it waited for is in its error.
import type { Envoy, InstanceSeen } from "./envoy.ts";

/** Which side of a pair has to offer something that not everybody has. */
export interface Needs {
  readonly client?: readonly ClientWord[];
  readonly worker?: readonly WorkerWord[];
  /** The other worker, where two are at work. */
  readonly other?: readonly WorkerWord[];
  readonly server?: readonly ServerWord[];
}

/** What a client may lack. */
export type ClientWord =
  | "tags"
  | "version"
  | "query"
  | "listIds"
  | "purgeWhere"
  | "recursiveTerminate"
  | "recursivePurge"
  | "restart"
  | "rewind"
  | "history"
  | "failure"
  | "stack"
  | "innerFailure"
  | "customStatus"
  | "entities"
  | "schedules";
/** What a worker may lack. */
export type WorkerWord =
  "sendEvent" | "stack" | "version" | "versionFilter" | "parent" | "nonRetriable" | "rewind" | "innerFailure" | "entities" | "schedules";
/** What a server may lack. */
export type ServerWord =
  | "query"
  | "listIds"
  | "purgeWhere"
  | "restart"
  | "rewind"
  | "history"
  | "tags"
  | "version"
  | "sendEvent"
  | "entities"
  | "restartOfServer"
  | "deathOfWorker";

/** A server that a story can take away and bring back. */
export interface StoppableServer {
  readonly address: string;
  /** kill -9, then a new process over the same file on the same port. */
  killAndRestart(): Promise<void>;
}

/** What a story is given. */
export interface Stage {
  /** Asks and starts. */
  readonly client: Envoy;
  /** The prefix of the programs that the worker has: `on("chain")` is "js.chain". */
  on(program: string): string;
  /** The other worker's programs, where two are at work. */
  across(program: string): string;
  /** Our own client on the same server, to look at what it keeps. */
  readonly observer: Envoy | undefined;
  readonly server: StoppableServer;
  /** Another process of the worker's kind, without a started worker. */
  another(): Promise<Envoy>;
  /** Takes the worker of this stage away, for stories that bring their own. */
  withoutWorker(run: () => Promise<void>): Promise<void>;
  /** An id that no other story has. */
  id(part?: string): string;
  /** A file of this story alone. */
  file(name: string): string;
  /** How long a wait may take. */
  readonly patienceMs: number;
}

/** Something that has to work. */
export interface Story {
  readonly name: string;
  readonly needs?: Needs;
  /** Not beside others: it counts what is in the whole task hub, or takes something away. */
  readonly alone?: boolean;
  readonly run: (stage: Stage) => Promise<void>;
}

/** Starts a program of the worker and waits for its end. */
export async function played(stage: Stage, program: string, input?: unknown, id = stage.id()): Promise<InstanceSeen> {
  await stage.client.start({ name: program, input, instanceId: id });
  return ended(stage, id);
}

/** Waits for the end of an instance. */
export async function ended(stage: Stage, instanceId: string): Promise<InstanceSeen> {
  const instance = await stage.client.wait({ instanceId, timeoutMs: stage.patienceMs }).catch(async (error: Error) => {
    const now = await stage.observer?.get({ instanceId }).catch(() => undefined);
    throw new Error(`${error.message} The server says of it: ${JSON.stringify(now)}`);
  });
  if (instance === undefined) throw new Error(`the instance ${instanceId} is not there`);
  return instance;
}

/** Looks at an instance until it is as wished. */
export async function until(
  stage: Stage,
  instanceId: string,
  wished: (instance: InstanceSeen) => boolean,
  what: string,
): Promise<InstanceSeen> {
  let last: InstanceSeen | undefined;
  const found = await eventually(stage.patienceMs, async () => {
    last = await stage.client.get({ instanceId });
    return last !== undefined && wished(last);
  });
  if (!found) throw new Error(`the instance ${instanceId} never was ${what}; it is ${JSON.stringify(last)}`);
  return last!;
}

/** Asks again and again, for so long at most. */
export async function eventually(ms: number, holds: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + ms;
  do {
    if (await holds()) return true;
    await pause(100);
  } while (performance.now() < end);
  return false;
}

/** A breath between two looks at a world that tells nothing by itself. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
