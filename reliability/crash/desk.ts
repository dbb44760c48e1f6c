// desk: what is still to be asked of whoever lives. A step that nobody has confirmed is asked for again of the next victim.
//
// Owns:    how far each plan has come.
// Always:  K1 the steps of one instance are asked for one after the other, those of different instances beside one another.
//          K2 a refusal that cannot be explained by an answer that a kill has swallowed is a wrong.
import type { Plan } from "./shapes.ts";
import { VictimGone, VictimRefused } from "./victim-process.ts";
import type { Victim } from "./victim-process.ts";

interface Entry {
  readonly plan: Plan;
  next: number;
  /** How often the next step was asked for without an answer. */
  unanswered: number;
  /** Somebody is being asked. */
  asking: boolean;
}

/** What a campaign counts of its clients. */
export interface DeskCounts {
  readonly steps: number;
  readonly unanswered: number;
  /** Asked for again, and found to be done already. */
  readonly doneBefore: number;
  /** Refused because the store could not write. */
  readonly unavailable: number;
}

export class Desk {
  readonly plans: Plan[] = [];
  readonly wrongs: string[] = [];
  readonly #open = new Set<Entry>();
  readonly #messages = new Set<string>();
  /** Whether the last victim that was asked has ended meanwhile. */
  gone = false;
  #steps = 0;
  #unanswered = 0;
  #doneBefore = 0;
  #unavailable = 0;

  plan(plan: Plan): void {
    this.plans.push(plan);
    this.#open.add({ plan, next: 0, unanswered: 0, asking: false });
  }

  get counts(): DeskCounts {
    return { steps: this.#steps, unanswered: this.#unanswered, doneBefore: this.#doneBefore, unavailable: this.#unavailable };
  }

  /** Steps that are left, those that wait for an end not counted. */
  get pending(): readonly string[] {
    return [...this.#open].map(({ plan, next }) => `${plan.id} ${plan.steps[next]?.op ?? "?"}`);
  }

  /** How many instances have steps left. */
  get left(): number {
    return this.#open.size;
  }

  get done(): boolean {
    return this.#open.size === 0;
  }

  /** What the store said when it could not write: each once. */
  get refusals(): readonly string[] {
    return [...this.#messages];
  }

  /** Asks for what is left, and is not being asked for, until it is done, the victim is gone, or the store refuses. */
  async ask(victim: Victim): Promise<void> {
    this.gone = false;
    const asked = [...this.#open].filter((entry) => !entry.asking);
    await Promise.all(
      asked.map(async (entry) => {
        entry.asking = true;
        try {
          await this.#askAll(victim, entry);
        } finally {
          entry.asking = false;
        }
      }),
    );
  }

  async #askAll(victim: Victim, entry: Entry): Promise<void> {
    const { plan } = entry;
    for (let step = plan.steps[entry.next]; step !== undefined; step = plan.steps[entry.next]) {
      try {
        await victim.ask("step", plan.id, step);
        this.#steps++;
      } catch (error) {
        if (error instanceof VictimGone) {
          this.gone = true;
          if (step.op !== "ended") {
            entry.unanswered++;
            this.#unanswered++;
          }
          return;
        }
        if (!(error instanceof VictimRefused)) throw error;
        if (error.code === "HUB_CLOSED") return;
        if (error.code === "STORE_UNAVAILABLE") {
          // It was not accepted, or nobody can tell: the same as an answer that never came.
          entry.unanswered++;
          this.#unavailable++;
          this.#messages.add(error.message);
          return;
        }
        const endedBefore = error.code === "INVALID_STATE" && (step.op === "suspend" || step.op === "resume");
        if (error.code === "INSTANCE_EXISTS" && step.op === "start" && entry.unanswered > 0) this.#doneBefore++;
        else if (!endedBefore) {
          this.wrongs.push(`${plan.id}: the step ${entry.next + 1} (${step.op}) was refused: ${error.message}`);
          this.#open.delete(entry);
          return;
        }
      }
      entry.next++;
      entry.unanswered = 0;
    }
    this.#open.delete(entry);
  }
}
