// desk: what clients do. Each plan's steps are asked for one after the other, of whichever process lives; one that nobody has confirmed is asked for again.
//
// Owns:    how far each plan has come.
// Always:  D1 a refusal that cannot be explained by an answer that somebody's end has swallowed is a wrong.
//          D2 no question is without an end: one that a living process does not answer is a wrong.
import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../simulation/chance.ts";
import { MemberGone, MemberRefused, type Member } from "./member-process.ts";
import type { Plan, Step } from "./programs.ts";

/** What clients have met. */
export interface DeskCounts {
  steps: number;
  /** Asked for again, since nobody had answered. */
  unanswered: number;
  /** Refused because the server could not be reached, and asked for again. */
  unavailable: number;
  /** Asked for again, and found to be done already. */
  doneBefore: number;
}

export interface Desk {
  readonly counts: DeskCounts;
  readonly wrongs: string[];
  /** Steps that are being asked for: for whoever wonders why nothing happens. */
  readonly pending: ReadonlyMap<string, string>;
  /** Resolves when all steps of the plan are confirmed. */
  begin(plan: Plan): Promise<void>;
  /** Nobody asks any more. */
  close(): void;
}

/** A living process does not leave a question unanswered for so long, whatever befalls its server. */
const ANSWER_MS = 90_000;
const AGAIN_MS = 100;
/** What a process says that cannot reach the server, or is on its way out. */
const UNAVAILABLE: ReadonlySet<string> = new Set(["STORE_UNAVAILABLE", "HUB_CLOSED"]);

/** A desk. `living`: the processes that can be asked now. */
export function openDesk(living: () => readonly Member[], chance: Chance): Desk {
  const counts: DeskCounts = { steps: 0, unanswered: 0, unavailable: 0, doneBefore: 0 };
  const wrongs: string[] = [];
  const pending = new Map<string, string>();
  let closed = false;

  const choose = async (): Promise<Member> => {
    for (;;) {
      const members = living();
      if (members.length > 0) return chance.pick(members);
      await sleep(20);
    }
  };

  const confirm = async (id: string, step: Step): Promise<void> => {
    let unanswered = 0;
    for (let asking = 0; !closed; asking++) {
      const member = await choose();
      pending.set(id, `${step.op} of ${member.label}`);
      try {
        const stop = new AbortController();
        const late = sleep(step.op === "ended" ? 10 * ANSWER_MS : ANSWER_MS, "late", { signal: stop.signal }).catch(() => "stopped");
        const first = await Promise.race([member.ask("step", id, step, asking), late]).finally(() => stop.abort());
        if (first === "late") {
          if (member.isFrozen) continue;
          wrongs.push(`L3 ${id}: ${step.op} was asked of ${member.label}, which lives, and was not answered in ${ANSWER_MS} ms.`);
          return;
        }
        counts.steps++;
        return;
      } catch (error) {
        if (error instanceof MemberGone) {
          unanswered++;
          counts.unanswered++;
          continue;
        }
        if (!(error instanceof MemberRefused)) throw error;
        if (UNAVAILABLE.has(error.code)) {
          unanswered++;
          counts.unavailable++;
          await sleep(AGAIN_MS);
          continue;
        }
        if (error.code === "INSTANCE_EXISTS" && step.op === "start" && unanswered > 0) counts.doneBefore++;
        else if (!(error.code === "INVALID_STATE" && (step.op === "suspend" || step.op === "resume")))
          wrongs.push(`${id}: ${step.op} was refused by ${member.label}: ${error.message}`);
        return;
      }
    }
  };

  return {
    counts,
    wrongs,
    pending,
    async begin(plan) {
      for (const step of plan.steps) {
        await confirm(plan.id, step);
        if (closed) return;
      }
      pending.delete(plan.id);
    },
    close() {
      closed = true;
    },
  };
}
