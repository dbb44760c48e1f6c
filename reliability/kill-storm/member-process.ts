// member-process: a member as the driver holds it: asked by IPC, killed, frozen, waited for.
//
// Always:  no member outlives the driver: all that live are killed, by their pids, when this process ends in whatever way it can notice.
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Counted, MemberOptions, Notice, Question, Questions } from "./member.ts";
import { SHIFT } from "./true-time.ts";
import { noAnswers } from "./witnessed.ts";

export interface Member {
  readonly pid: number;
  readonly label: string;
  readonly isReady: boolean;
  readonly isGone: boolean;
  /** It has been killed, and may not have noticed yet. */
  readonly isDoomed: boolean;
  readonly isFrozen: boolean;
  /** Resolves when it runs, or has ended. */
  readonly ready: Promise<void>;
  /** Resolves when the process has ended, with how. */
  readonly ended: Promise<string>;
  /** What it had counted when it was last heard of. */
  readonly counted: Counted;
  /** What it logged as warning or error, and why it could not open. */
  readonly said: readonly string[];
  /** Rejects with MemberRefused when it says no, with MemberGone when it ended before it answered. */
  ask<K extends keyof Questions>(ask: K, ...args: Parameters<Questions[K]>): Promise<void>;
  /** `kill -9`. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Lets it finish what it is at, and waits for its end. */
  stop(): Promise<void>;
}

export class MemberRefused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

export class MemberGone extends Error {}

/** Pids that must not outlive this process. */
const alive = new Set<number>();
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended already.
  }
}
process.once("exit", () => {
  for (const pid of alive) signal(pid, "SIGKILL");
});

/** Starts a member. `shiftMs`: its clock is wrong by so much. */
export function startMember(options: MemberOptions, shiftMs: number, compileCache: string): Member {
  const child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      "--import",
      join(import.meta.dirname, "true-time.ts"),
      join(import.meta.dirname, "member.ts"),
      JSON.stringify(options),
    ],
    {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
      env: { ...process.env, [SHIFT]: String(shiftMs), NODE_COMPILE_CACHE: compileCache },
    },
  );
  const pid = child.pid ?? 0;
  if (pid !== 0) alive.add(pid);
  let isReady = false;
  let isGone = false;
  let isDoomed = false;
  let isFrozen = false;
  let counted: Counted = { counters: {}, answers: noAnswers() };
  let asked = 0;
  const said: string[] = [];
  const open = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();

  child.on("message", (notice: Notice) => {
    switch (notice.kind) {
      case "ready":
        isReady = true;
        ready.resolve();
        break;
      case "refused-to-open":
        said.push(`could not open: ${notice.message}`);
        break;
      case "counted":
        counted = notice;
        break;
      case "log":
        said.push(`${notice.level}: ${notice.message}`);
        break;
      case "answer":
      case "refused": {
        const waiting = open.get(notice.number);
        open.delete(notice.number);
        if (notice.kind === "answer") waiting?.resolve();
        else waiting?.reject(new MemberRefused(notice.code, notice.message));
      }
    }
  });
  child.on("error", () => undefined); // a question to a process that is ending
  child.on("close", (code, how) => {
    alive.delete(pid);
    isGone = true;
    for (const waiting of open.values()) waiting.reject(new MemberGone(`${options.label} ended before it answered.`));
    open.clear();
    ready.resolve();
    ended.resolve(how ?? `exit code ${code}`);
  });

  const ask = (name: keyof Questions, ...args: readonly unknown[]): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (!child.connected) reject(new MemberGone(`${options.label} has ended.`));
    else {
      open.set(++asked, { resolve, reject });
      child.send({ number: asked, ask: name, with: args } satisfies Question);
    }
    return promise;
  };

  return {
    pid,
    label: options.label,
    get isReady() {
      return isReady && !isGone && !isDoomed;
    },
    get isGone() {
      return isGone;
    },
    get isDoomed() {
      return isDoomed;
    },
    get isFrozen() {
      return isFrozen;
    },
    ready: ready.promise,
    ended: ended.promise,
    get counted() {
      return counted;
    },
    said,
    ask,
    async kill() {
      isDoomed = true;
      if (!isGone) signal(pid, "SIGKILL");
      await ended.promise;
    },
    freeze() {
      isFrozen = true;
      signal(pid, "SIGSTOP");
    },
    thaw() {
      isFrozen = false;
      signal(pid, "SIGCONT");
    },
    async stop() {
      await ask("stop");
      await ended.promise;
    },
  };
}
