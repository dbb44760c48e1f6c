// connected-workers: the workers of this process: who serves what, and who has room.
//
// Is told: which workers come and go. What is out with each is the worker's own to know (connected-worker).
// Always:  CW2 a worker that has stopped taking is chosen for nothing; one with room comes before one without.

import type { InstanceRecord } from "../contract/instance.ts";
import type { ServedNames } from "../engine/waiting.ts";
import type { ClaimRequest } from "../engine/store.ts";
import type { ConnectedWorker } from "./connected-worker.ts";

/** What is claimed at once where nobody takes anything: what needs only the engine. */
const ENGINE_TURNS = 100;

/** The workers that are connected to one backend. */
export class ConnectedWorkers {
  // A list and no set: it is walked several times at every turn, and has one worker as a rule.
  readonly #workers: ConnectedWorker[] = [];

  get size(): number {
    return this.#workers.length;
  }

  /** Some worker takes work. */
  get areTaking(): boolean {
    return this.#workers.some((worker) => worker.taking);
  }

  add(worker: ConnectedWorker): void {
    this.#workers.push(worker);
  }

  has(worker: ConnectedWorker): boolean {
    return this.#workers.includes(worker);
  }

  /** False when it had gone already. */
  delete(worker: ConnectedWorker): boolean {
    const place = this.#workers.indexOf(worker);
    if (place >= 0) this.#workers.splice(place, 1);
    return place >= 0;
  }

  [Symbol.iterator](): IterableIterator<ConnectedWorker> {
    return this.#workers.values();
  }

  /** Who is to run an instance. */
  forInstance({ name, version }: Pick<InstanceRecord, "name" | "version">): ConnectedWorker | undefined {
    let full: ConnectedWorker | undefined;
    for (const worker of this.#workers) {
      if (!worker.taking || !worker.serves(name, version)) continue;
      if (worker.turnRoom > 0) return worker;
      full ??= worker;
    }
    return full;
  }

  /** Who is to run an activity. */
  forActivity(activity: string): ConnectedWorker | undefined {
    let full: ConnectedWorker | undefined;
    for (const worker of this.#workers) {
      if (!worker.taking || !worker.activities.has(activity)) continue;
      if (worker.activityRoom > 0) return worker;
      full ??= worker;
    }
    return full;
  }

  /** Some worker here has the orchestrator, of whichever version. */
  serves(orchestrator: string): boolean {
    for (const worker of this.#workers) if (worker.taking && worker.orchestrators.has(orchestrator)) return true;
    return false;
  }

  /** All names that workers here have. */
  servedNames(): ServedNames {
    const orchestrators = new Set<string>();
    const activities = new Set<string>();
    for (const worker of this.#workers) {
      for (const name of worker.orchestrators) orchestrators.add(name);
      for (const name of worker.activities) activities.add(name);
    }
    return { orchestrators, activities };
  }

  /** What there is room for right now. */
  want(): ClaimRequest {
    let instances = 0;
    let activityCount = 0;
    let taking = false;
    const orchestrators = new Set<string>();
    const activities = new Set<string>();
    for (const worker of this.#workers) {
      if (!worker.taking) continue;
      taking = true;
      instances += Math.max(0, worker.turnRoom);
      activityCount += Math.max(0, worker.activityRoom);
      for (const name of worker.orchestrators) orchestrators.add(name);
      for (const name of worker.activities) activities.add(name);
    }
    // What needs only the engine is taken even when no worker takes anything.
    return { instances: taking ? instances : ENGINE_TURNS, orchestrators: [...orchestrators], activityCount, activities: [...activities] };
  }
}
