// beside: long reads of a file on a thread and a connection of their own, so that nobody who works waits for them.
//
// Owns:    which thread runs, and that it ends when its hub closes.
// Always:  what runs beside reads one snapshot of the file and never writes to it. While it does, the write-ahead log cannot begin anew.

import { Worker } from "node:worker_threads";
import {
  HubClosedError,
  InvalidArgumentError,
  InvalidStateError,
  StoreFormatError,
  StoreUnavailableError,
  UnsupportedError,
} from "../../contract/errors.ts";
import type { BackupProgress, HubSizes, IntegrityFinding } from "../../contract/maintenance.ts";

/** What can be done beside. */
export interface BesideTasks {
  readonly copy: { readonly asked: { readonly from: string; readonly to: string; readonly shrinks: boolean }; readonly answer: undefined };
  readonly sizes: { readonly asked: { readonly path: string; readonly hub: string }; readonly answer: HubSizes };
  readonly check: { readonly asked: { readonly path: string }; readonly answer: readonly IntegrityFinding[] };
}

/** A task as it is sent to the thread. */
export type BesideTask = { [K in keyof BesideTasks]: { readonly kind: K } & BesideTasks[K]["asked"] }[keyof BesideTasks];

/** What the thread tells. */
export type FromBeside =
  | { readonly kind: "progress"; readonly progress: BackupProgress }
  | { readonly kind: "done"; readonly answer: BesideTasks[keyof BesideTasks]["answer"] }
  | { readonly kind: "refused"; readonly error: string; readonly message: string };

const REFUSALS: Readonly<Record<string, new (message: string) => Error>> = {
  InvalidArgumentError,
  InvalidStateError,
  StoreFormatError,
  UnsupportedError,
};

/** What runs beside one store. */
export interface Beside {
  run<K extends keyof BesideTasks>(
    kind: K,
    asked: BesideTasks[K]["asked"],
    onProgress?: (progress: BackupProgress) => void,
  ): Promise<BesideTasks[K]["answer"]>;
  /** Cuts off what runs; whoever waits for it hears HubClosedError. */
  close(): Promise<void>;
}

/** Nothing runs yet. */
export function createBeside(): Beside {
  const running = new Map<Worker, (error: Error) => void>();
  let closed = false;
  return {
    async run(kind, asked, onProgress) {
      if (closed) throw new HubClosedError("The store is closed.");
      const worker = startThread({ kind, ...asked } as BesideTask);
      try {
        return await new Promise((resolve, reject) => {
          running.set(worker, reject);
          worker.on("message", (told: FromBeside) => {
            if (told.kind === "progress") onProgress?.(told.progress);
            else if (told.kind === "done") resolve(told.answer);
            else reject(new (REFUSALS[told.error] ?? StoreUnavailableError)(told.message));
          });
          worker.on("error", (cause: Error) => reject(new StoreUnavailableError(`It could not be done: ${cause.message}`, { cause })));
          worker.on("exit", () => reject(new StoreUnavailableError("It was cut off: its thread has ended.")));
        });
      } finally {
        running.delete(worker);
        await worker.terminate();
      }
    },
    async close() {
      closed = true;
      await Promise.all(
        [...running].map(async ([worker, reject]) => {
          reject(new HubClosedError("The task hub was closed while this was under way."));
          await worker.terminate();
        }),
      );
    },
  };
}

function startThread(task: BesideTask): Worker {
  const source = import.meta.url.endsWith(".ts");
  return new Worker(source ? new URL("./beside-thread.ts", import.meta.url) : new URL("./beside-thread.js", import.meta.url), {
    workerData: task,
    execArgv: [],
    name: "ostinato-beside",
  });
}
