// agenda: virtual time. What is to happen stands here with its time; time jumps from one thing to the next.
//
// Always:  G1 what stands for one moment happens in the order in which it was written down.
//          G2 between two things everything that the first one set going comes to rest.

/** Something that is to happen. */
interface Item {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** How something is taken back. */
export interface Appointment {
  cancel(): void;
}

const MOST_STEPS = 60_000;

/** The time of a simulation, and what is to happen. */
export class Agenda {
  now: number;
  steps = 0;
  readonly #heap: Item[] = [];
  readonly #mostSteps: number;
  #order = 0;

  constructor(start: number, mostSteps = MOST_STEPS) {
    this.now = start;
    this.#mostSteps = mostSteps;
  }

  /** More has happened than in any world that is sane: something goes round and round. */
  get isSpent(): boolean {
    return this.steps > this.#mostSteps;
  }

  /** Writes something down. */
  at(instant: number, run: () => void): Appointment {
    const item: Item = { at: Math.max(instant, this.now), order: this.#order++, run };
    const heap = this.#heap;
    let place = heap.push(item) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!before(item, heap[above]!)) break;
      heap[place] = heap[above]!;
      place = above;
    }
    heap[place] = item;
    return { cancel: () => void (item.run = undefined) };
  }

  /** In so many milliseconds. */
  after(ms: number): Promise<void> {
    return new Promise((resolve) => this.at(this.now + ms, resolve));
  }

  /** Lets things happen, one after the other, until that time, or until too much has happened. */
  async runUntil(instant: number): Promise<void> {
    await rest();
    for (let item = this.#heap[0]; item !== undefined && item.at <= instant && !this.isSpent; item = this.#heap[0]) {
      this.#takeFirst();
      if (item.run === undefined) continue;
      this.now = item.at;
      this.steps++;
      item.run();
      await rest();
    }
    this.now = Math.max(this.now, instant);
  }

  #takeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && before(heap[below + 1]!, heap[below]!)) below++;
      if (!before(heap[below]!, last)) break;
      heap[place] = heap[below]!;
      place = below;
    }
    heap[place] = last;
  }
}

function before(a: Item, b: Item): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Every promise that can go on has gone on: nothing in a simulation waits for anything but promises and the agenda. */
function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
