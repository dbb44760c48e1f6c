// victim-process: a victim as its parent holds it: asked by IPC, killed, waited for.
//
// Always:  no victim outlives the campaign: all that live are killed, by their pids, when this process ends in whatever way it can notice.
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Notice, Question, Questions, VictimOptions } from "./victim.ts";

/** Where a victim is in its life. */
export type Phase = "starting" | "opening" | "ready" | "closing" | "closed";

export interface Victim {
  /** Of the victim itself, which is not who was started when something stands around it. */
  readonly pid: number;
  readonly phase: Phase;
  /** Resolves when it has opened the file and runs; rejects when it ended, or was refused, before. */
  readonly ready: Promise<void>;
  /** Resolves when it has begun to open the file, or ended. */
  readonly opening: Promise<void>;
  /** Resolves when it has begun to close, or ended. */
  readonly closing: Promise<void>;
  /** Resolves when the process has ended, with how. */
  readonly ended: Promise<string>;
  /** Set when the file was refused. */
  readonly refusal: { readonly code: string; readonly message: string } | undefined;
  /** What its hub had counted when it was last heard of. */
  readonly counters: Readonly<Record<string, number>>;
  /** What it logged as warning or error. */
  readonly said: readonly string[];
  /** Rejects with VictimRefused when the victim says no, with VictimGone when it ended before it answered. */
  ask<K extends keyof Questions>(ask: K, ...args: Parameters<Questions[K]>): ReturnType<Questions[K]>;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** Lets it finish what it is at, and waits for its end. */
  stop(): Promise<void>;
}

export class VictimRefused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

export class VictimGone extends Error {}

/** Pids that must not outlive this process. */
const alive = new Set<number>();
const killAll = (): void => {
  for (const pid of alive) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  }
};
process.once("exit", killAll);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));

/** Starts a victim; `around` is what its command is run by (strace with its options, a shell that sets limits). */
export function startVictim(
  options: VictimOptions,
  around: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Victim {
  const command = [
    ...around,
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    join(import.meta.dirname, "victim.ts"),
    JSON.stringify(options),
  ];
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    serialization: "advanced",
    env: { ...process.env, ...environment },
  });
  if (child.pid !== undefined) alive.add(child.pid);
  let own = child.pid;
  let phase: Phase = "starting";
  let refusal: Victim["refusal"];
  let counters: Victim["counters"] = {};
  const said: string[] = [];
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  const ready = Promise.withResolvers<void>();
  const opening = Promise.withResolvers<void>();
  const closing = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  let questions = 0;

  child.on("message", (notice: Notice) => {
    switch (notice.kind) {
      case "phase":
        // Under strace the child that was started is strace, and the victim is somebody else.
        own = notice.pid;
        alive.add(own);
        phase = notice.phase;
        if (phase === "opening") opening.resolve();
        if (phase === "ready") ready.resolve();
        if (phase === "closing") closing.resolve();
        break;
      case "refused-to-open":
        refusal = { code: notice.code, message: notice.message };
        ready.reject(new VictimRefused(notice.code, notice.message));
        break;
      case "log":
        said.push(`${notice.level}: ${notice.message}`);
        break;
      case "counters":
        counters = notice.counters;
        break;
      case "answer":
      case "refused": {
        const waiting = open.get(notice.number);
        open.delete(notice.number);
        if (notice.kind === "answer") waiting?.resolve(notice.value);
        else waiting?.reject(new VictimRefused(notice.code, notice.message));
      }
    }
  });
  child.on("error", (error) => ready.reject(error)); // a question to a process that is ending, or a command that is not there
  child.on("exit", (code, signal) => {
    for (const pid of [child.pid, own]) if (pid !== undefined) alive.delete(pid);
    const how = signal ?? `exit code ${code}`;
    const gone = new VictimGone(`The victim ${own} ended (${how}) before it answered.`);
    ready.reject(gone);
    for (const waiting of open.values()) waiting.reject(gone);
    open.clear();
    opening.resolve();
    closing.resolve();
    ended.resolve(how);
  });
  ready.promise.catch(() => undefined); // whoever waits for it is told; nobody has to

  const ask = (name: keyof Questions, ...args: readonly unknown[]): Promise<unknown> => {
    const number = ++questions;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (!child.connected) reject(new VictimGone(`The victim ${own} has ended.`));
    else {
      open.set(number, { resolve, reject });
      child.send({ number, ask: name, with: args } satisfies Question);
    }
    return promise;
  };

  return {
    get pid() {
      return own ?? 0;
    },
    get phase() {
      return phase;
    },
    get refusal() {
      return refusal;
    },
    get counters() {
      return counters;
    },
    said,
    ready: ready.promise,
    opening: opening.promise,
    closing: closing.promise,
    ended: ended.promise,
    ask: ask as Victim["ask"],
    async kill() {
      for (const pid of new Set([own, child.pid])) {
        if (pid === undefined || !alive.has(pid)) continue;
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It has ended already.
        }
      }
      await ended.promise;
    },
    async stop() {
      await ask("stop");
      await ended.promise;
    },
  };
}
