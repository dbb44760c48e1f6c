// victim: the process that holds the file, runs the load, and is killed. Its parent asks by IPC; what it saw is in the journal.
import { enableCompileCache } from "node:module";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Hub, Worker } from "ostinato";
import type { Sight } from "../checker/journal.ts";
import type { Step } from "./shapes.ts";

/** How a victim is started. */
export interface VictimOptions {
  readonly file: string;
  readonly journal: string;
  /** Carries the write-ahead log over after so many pages, so that many kills meet a checkpoint; the hub's own number when absent. */
  readonly walPages?: number;
  /** Where the file is written from; a thread when absent. */
  readonly body?: "inline" | "thread";
}

/** What the parent may ask for. */
export interface Questions {
  readonly step: (id: string, step: Step) => Promise<unknown>;
  /** How an instance stands, in short; `undefined` when it is not there. */
  readonly look: (id: string) => Promise<{ status: string; output: unknown; stall: string | undefined; waitingFor: string } | undefined>;
  /** Copies the hub, while everything goes on, to a file that is not there. */
  readonly backup: (path: string) => Promise<void>;
  /** How much is left of work: instances that have not ended, messages, activities. */
  readonly left: () => Promise<number>;
  readonly counters: () => Promise<Readonly<Record<string, number>>>;
  /** The longest time that the event loop was held since this was asked last, in ms. */
  readonly loopDelay: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

export type Question = { readonly number: number; readonly ask: keyof Questions; readonly with: readonly unknown[] };
export type Notice =
  | { readonly kind: "phase"; readonly phase: "opening" | "ready" | "closing" | "closed"; readonly pid: number }
  | { readonly kind: "refused-to-open"; readonly code: string; readonly message: string }
  | { readonly kind: "log"; readonly level: string; readonly message: string }
  | { readonly kind: "counters"; readonly counters: Readonly<Record<string, number>> }
  | { readonly kind: "answer"; readonly number: number; readonly value: unknown }
  | { readonly kind: "refused"; readonly number: number; readonly code: string; readonly message: string };

enableCompileCache();
const options = JSON.parse(process.argv[2] ?? "{}") as VictimOptions;
const tell = (notice: Notice): void => {
  if (process.connected) process.send?.(notice);
};
process.on("disconnect", () => process.exit(0)); // without its parent it has nobody to work for

const { journalTo } = await import("./journal.ts");
const shapes = await import("./shapes.ts");
const { openVictimHub } = await import("./victim-hub.ts");
const note = journalTo(options.journal);
shapes.bodiesTell(note);

tell({ kind: "phase", phase: "opening", pid: process.pid });
let hub: Hub;
let worker: Worker;
try {
  hub = await openVictimHub(options, (level, message) => tell({ kind: "log", level, message }));
  worker = await hub.startWorker({ orchestrators: shapes.orchestrators, activities: shapes.activities, concurrency: { activities: 40 } });
} catch (error) {
  const { code = "?", message } = error as Error & { code?: string };
  tell({ kind: "refused-to-open", code, message });
  process.exit(3);
}

const COUNTERS_EVERY_MS = 25;
let calls = 0;
/** Does what a client does, with a line before and a line after it. */
async function witnessed<T>(op: string, instanceId: string, what: unknown, ask: () => Promise<T>): Promise<T> {
  const call = `${process.pid}.${++calls}`;
  const told: Sight = { kind: "invoke", call, instanceId, op, ...(what === undefined ? {} : { what }) };
  note(told);
  try {
    const value = await ask();
    note({ kind: "ok", call, ...(typeof value === "number" ? { value } : {}) });
    return value;
  } catch (error) {
    const { code = "?", message } = error as Error & { code?: string };
    note({ kind: "fail", call, code, message });
    throw error;
  }
}

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
const questions: Questions = {
  async step(id, step) {
    const instance = hub.instance(id);
    switch (step.op) {
      case "start": {
        const startAt = step.startInMs === undefined ? {} : { startAt: new Date(Date.now() + step.startInMs) };
        return void (await witnessed("start", id, undefined, () =>
          hub.start(step.orchestrator, step.input, { instanceId: id, ...startAt }),
        ));
      }
      case "raise":
        return await witnessed("raise", id, { event: step.event, input: JSON.stringify(step.data) }, () =>
          instance.raiseEvent(step.event, step.data),
        );
      case "ended":
        return void (await instance.result().catch((error: Error & { code?: string }) => {
          if (error.code !== "ORCHESTRATION_FAILED" && error.code !== "ORCHESTRATION_TERMINATED") throw error;
        }));
      case "terminate":
        return await witnessed("terminate", id, { recursive: true }, () => instance.terminate({ recursive: true }));
      case "suspend":
        return await witnessed("suspend", id, undefined, () => instance.suspend());
      case "resume":
        return await witnessed("resume", id, undefined, () => instance.resume());
      case "purge":
        return await witnessed("purge", id, { recursive: true }, () => instance.purge({ recursive: true }));
    }
  },
  async look(id) {
    const status = await hub.instance(id).status();
    return (
      status && { status: status.status, output: status.output, stall: status.stall?.reason, waitingFor: status.waitingFor.join("; ") }
    );
  },
  backup: (path) => hub.backup(path),
  async left() {
    const { instances, messages, activities } = await hub.sizes();
    return instances.PENDING + instances.RUNNING + instances.SUSPENDED + messages + activities;
  },
  counters: async () => hub.counters(),
  async loopDelay() {
    const longest = delay.max / 1e6;
    delay.reset();
    return longest;
  },
  async stop() {
    tell({ kind: "phase", phase: "closing", pid: process.pid });
    await worker.stop({ graceMs: 2_000 });
    await hub.close();
    tell({ kind: "phase", phase: "closed", pid: process.pid });
  },
};

// A process that is killed cannot be asked what it had counted.
setInterval(() => tell({ kind: "counters", counters: hub.counters() }), COUNTERS_EVERY_MS).unref();

process.on("message", (question: Question) => {
  const answer = questions[question.ask] as (...args: readonly unknown[]) => Promise<unknown>;
  answer(...question.with).then(
    (value) => {
      tell({ kind: "answer", number: question.number, value });
      if (question.ask === "stop") process.disconnect();
    },
    (error: Error & { code?: string }) =>
      tell({ kind: "refused", number: question.number, code: error.code ?? error.name, message: error.message }),
  );
});
tell({ kind: "phase", phase: "ready", pid: process.pid });
