// member: a process of the storm: a worker, a client, or both, over a hub of its own. It is killed, frozen and cut off; what it saw is in its journal.
import { enableCompileCache } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hub, Worker } from "ostinato";
import type { Answers } from "./witnessed.ts";
import type { Step } from "./programs.ts";

/** How a member is started. */
export interface MemberOptions {
  /** Where its line is. */
  readonly url: string;
  /** Its name: that of its place, and which of those that were there. */
  readonly label: string;
  /** Where journals are. */
  readonly folder: string;
  readonly leaseMs: number;
  readonly isWorker: boolean;
  readonly seed: number;
  readonly programs?: "storm" | "measures";
}

/** What the driver may ask for. */
export interface Questions {
  /** `asking`: how often it was asked for before. */
  readonly step: (id: string, step: Step, asking: number) => Promise<void>;
  readonly purgeAll: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export type Question = { readonly number: number; readonly ask: keyof Questions; readonly with: readonly unknown[] };
/** What a process has counted. */
export interface Counted {
  readonly counters: Readonly<Record<string, number>>;
  readonly answers: Answers;
}
export type Notice =
  | { readonly kind: "ready" }
  | { readonly kind: "refused-to-open"; readonly message: string }
  | ({ readonly kind: "counted" } & Counted)
  | { readonly kind: "log"; readonly level: string; readonly message: string }
  | { readonly kind: "answer"; readonly number: number }
  | { readonly kind: "refused"; readonly number: number; readonly code: string; readonly message: string };

enableCompileCache();
const options = JSON.parse(process.argv[2] ?? "{}") as MemberOptions;
const tell = (notice: Notice): void => {
  if (process.connected) process.send?.(notice);
};
process.on("disconnect", () => process.exit(0)); // without its driver it has nobody to work for

const { journalTo } = await import("./journal.ts");
const { trueTime } = await import("./true-time.ts");
const { bodiesTell } = await import("../crash/shapes.ts");
const { noAnswers } = await import("./witnessed.ts");
const { openMemberHub } = await import("./member-hub.ts");
const programs = options.programs === "measures" ? await import("./measured-programs.ts") : await import("./programs.ts");
const { chanceOf } = await import("../simulation/chance.ts");
const note = journalTo(options.folder, options.label);
bodiesTell(note);

const answers: Answers = noAnswers();
let hub: Hub;
let worker: Worker | undefined;
try {
  hub = await openMemberHub(options, note, answers, (level, message) => tell({ kind: "log", level, message }));
  if (options.isWorker)
    worker = await hub.startWorker({
      orchestrators: programs.orchestrators,
      activities: programs.activities,
      entities: programs.entitiesOf(async (ms) => void (await sleep(ms)), chanceOf(options.seed, options.label)),
      concurrency: { activities: 40 },
    });
} catch (error) {
  tell({ kind: "refused-to-open", message: String((error as Error).stack) });
  process.exit(3);
}

const ENDS: ReadonlySet<string> = new Set(["ORCHESTRATION_FAILED", "ORCHESTRATION_TERMINATED"]);

async function take(id: string, step: Step, asking: number): Promise<void> {
  const instance = hub.instance(id);
  switch (step.op) {
    case "start": {
      // By the true clock: this one may be an hour off.
      const startAt = step.startInMs === undefined ? {} : { startAt: new Date(trueTime() + step.startInMs) };
      return void (await hub.start(step.orchestrator, step.input, { instanceId: id, ...startAt }));
    }
    case "raise":
      return await instance.raiseEvent(step.event, step.data);
    case "ended":
      return void (await instance.result().catch((error: Error & { code?: string }) => {
        if (!ENDS.has(error.code ?? "")) throw error;
      }));
    case "terminate":
      return await instance.terminate({ recursive: true });
    case "suspend":
      return await instance.suspend();
    case "resume":
      return await instance.resume();
    case "purge":
      return void (await instance.purge({ recursive: true }));
    case "look":
      return void (await instance.status());
    case "signal": {
      const { signal } = hub.entity<{ append(v: string): string[] }>("list", step.key);
      const at = step.inMs === undefined ? {} : { at: new Date(trueTime() + step.inMs) };
      return await signal.append(`${id}.${asking}.${options.label}.${texts++}`, at);
    }
  }
}
let texts = 0;

const questions: Questions = {
  step: take,
  async purgeAll() {
    for (let isComplete = false; !isComplete;) ({ isComplete } = await hub.purge({}, { recursive: true }));
  },
  async stop() {
    await worker?.stop({ graceMs: 5_000 });
    note({ kind: "gives-back" });
    await hub.close();
    tell({ kind: "counted", counters: hub.counters(), answers });
  },
};

// A process that is killed cannot be asked what it had counted.
setInterval(() => tell({ kind: "counted", counters: hub.counters(), answers }), 50).unref();

process.on("message", (question: Question) => {
  const answer = questions[question.ask] as (...args: readonly unknown[]) => Promise<void>;
  answer(...question.with).then(
    () => {
      tell({ kind: "answer", number: question.number });
      if (question.ask === "stop") process.disconnect();
    },
    (error: Error & { code?: string }) =>
      tell({ kind: "refused", number: question.number, code: error.code ?? error.name, message: error.message }),
  );
});
tell({ kind: "ready" });
