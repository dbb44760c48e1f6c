// read-line: readings of single instances on their way, in groups.
//
// Always:  one group is on its way at a time, and whoever asks meanwhile is of the next one: many who ask cost one round trip.
//          Answers come in the order of the questions, so that decisions of one process do not overtake each other (I5).

import type { InstanceId } from "../../contract/ids.ts";
import type { StoredInstance } from "../../contract/instance.ts";

interface Question {
  readonly id: InstanceId;
  readonly resolve: (stored: StoredInstance | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** How many instances one group asks for at most. */
const GROUP = 1_000;

/** The line of one store. */
export class ReadLine {
  readonly #readAll: (ids: readonly InstanceId[]) => Promise<readonly (StoredInstance | undefined)[]>;
  readonly #queue: Question[] = [];
  #isRunning = false;

  constructor(readAll: (ids: readonly InstanceId[]) => Promise<readonly (StoredInstance | undefined)[]>) {
    this.#readAll = readAll;
  }

  read(id: InstanceId): Promise<StoredInstance | undefined> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ id, resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // Whoever asks in this very moment is of the first group.
    await undefined;
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, GROUP);
      try {
        const found = await this.#readAll(group.map(({ id }) => id));
        group.forEach(({ resolve }, i) => resolve(found[i]));
      } catch (error) {
        if (group.length === 1) group[0]?.reject(error);
        else await this.#oneByOne(group);
      }
    }
    this.#isRunning = false;
  }

  /** One that cannot be read spoils nobody else's reading (D5). */
  async #oneByOne(group: readonly Question[]): Promise<void> {
    for (const { id, resolve, reject } of group) {
      try {
        resolve((await this.#readAll([id]))[0]);
      } catch (error) {
        reject(error);
      }
    }
  }
}
