// worker-process: the worker as its parent holds it: asked by IPC, killed, waited for.
import { fork } from "node:child_process";
import { join } from "node:path";
import type { Notice, Question, Questions } from "./worker.ts";

export interface WorkerProcess {
  readonly pid: number;
  /** Resolves when the worker has opened the file and runs; rejects when it ended before. */
  readonly ready: Promise<void>;
  /** Resolves when the process has ended, in whatever way. */
  readonly ended: Promise<void>;
  /** Rejects with WorkerRefused when the worker says no, with WorkerGone when it ended before it answered. */
  ask<K extends keyof Questions>(ask: K, ...args: Parameters<Questions[K]>): ReturnType<Questions[K]>;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** Lets it finish what it is at, and waits for its end. */
  stop(): Promise<void>;
}

export class WorkerRefused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = code;
    this.code = code;
  }
}

export class WorkerGone extends Error {}

/** Starts the worker on a file. `said` is told what its activities print. */
export function startWorkerProcess(file: string, options: { said?: (text: string) => void; runsFile?: string } = {}): WorkerProcess {
  const child = fork(join(import.meta.dirname, "worker.ts"), [file, ...(options.runsFile === undefined ? [] : [options.runsFile])], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    serialization: "advanced",
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const endWithParent = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithParent);
  let questions = 0;

  child.on("message", (notice: Notice) => {
    if (notice.kind === "ready") ready.resolve();
    else if (notice.kind === "said") options.said?.(notice.text);
    else {
      const waiting = open.get(notice.number);
      open.delete(notice.number);
      if (notice.kind === "answer") waiting?.resolve(notice.value);
      else waiting?.reject(new WorkerRefused(notice.code, notice.message));
    }
  });
  child.on("error", () => undefined); // a question to a process that is ending
  child.on("exit", (code, signal) => {
    process.off("exit", endWithParent);
    const gone = new WorkerGone(`The worker process ${child.pid} ended (${signal ?? `exit code ${code}`}) before it answered.`);
    ready.reject(gone);
    for (const waiting of open.values()) waiting.reject(gone);
    open.clear();
    ended.resolve();
  });
  ready.promise.catch(() => undefined); // whoever waits for it is told; nobody has to

  const ask = (name: keyof Questions, ...args: readonly unknown[]): Promise<unknown> => {
    const number = ++questions;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (!child.connected) reject(new WorkerGone(`The worker process ${child.pid} has ended.`));
    else {
      open.set(number, { resolve, reject });
      child.send({ number, ask: name, with: args } satisfies Question);
    }
    return promise;
  };

  return {
    pid: child.pid ?? 0,
    ready: ready.promise,
    ended: ended.promise,
    ask: ask as WorkerProcess["ask"],
    async kill() {
      child.kill("SIGKILL");
      await ended.promise;
    },
    async stop() {
      await ask("stop");
      await ended.promise;
    },
  };
}
