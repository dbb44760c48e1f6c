// read-line: the reads on which decisions are made, in the order in which they were asked for.
//
// Owns:    the queue of ids; one question is on its way at a time, and whatever is asked for meanwhile is the next one.
// Always:  answers come in the order of the questions: events that a process raises one after the other, awaited or not, are written in that order (I5).
//          A thousand decisions at once cost a few round trips.

import { StoreFormatError } from "../../contract/errors.ts";
import type { InstanceId } from "../../contract/ids.ts";
import type { StoredInstance } from "../../contract/instance.ts";

interface Asking {
  readonly id: InstanceId;
  readonly answer: (found: StoredInstance | undefined) => void;
  readonly fail: (error: unknown) => void;
}

/** How many ids one question has at most. */
const QUESTION = 1_000;

/** The line of one store. */
export class ReadLine {
  readonly #readAll: (ids: readonly InstanceId[]) => Promise<readonly (StoredInstance | undefined)[]>;
  #queue: Asking[] = [];
  #isRunning = false;

  constructor(readAll: (ids: readonly InstanceId[]) => Promise<readonly (StoredInstance | undefined)[]>) {
    this.#readAll = readAll;
  }

  /** The instance as it is at some moment from now on. */
  read(id: InstanceId): Promise<StoredInstance | undefined> {
    return new Promise((answer, fail) => {
      this.#queue.push({ id, answer, fail });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // Whoever asks in this very moment is of the first question.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      await this.#ask(this.#queue.splice(0, QUESTION));
    }
    this.#isRunning = false;
  }

  async #ask(askings: readonly Asking[]): Promise<void> {
    const ids = [...new Set(askings.map(({ id }) => id))];
    let found: readonly (StoredInstance | undefined)[];
    try {
      found = await this.#readAll(ids);
    } catch (error) {
      // One that cannot be read spoils nobody else's reading (D5).
      if (askings.length > 1 && error instanceof StoreFormatError) for (const asking of askings) await this.#ask([asking]);
      else for (const { fail } of askings) fail(error);
      return;
    }
    const byId = new Map(ids.map((id, i) => [id, found[i]]));
    for (const { id, answer } of askings) answer(byId.get(id));
  }
}
