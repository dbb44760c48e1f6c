// counters: what a remote backend has counted, for operators.

/** Numbers by name; each begins at 0. */
export interface Counters {
  add(name: CounterName, count?: number): void;
  all(): Readonly<Record<CounterName, number>>;
}

/** What is counted. */
export type CounterName = keyof typeof NONE;

const NONE = {
  /** Calls of clients that were made again because no answer came. */
  callsRepeated: 0,
  /** Streams of work that were opened. */
  workStreamsOpened: 0,
  /** Streams of work that were lost. */
  workStreamsLost: 0,
  /** Streams of work that were silent for too long, and were given up. */
  workStreamsSilent: 0,
  /** Connections that were given up after too many failures. */
  connectionsReset: 0,
  /** Outcomes that were sent again because no answer came. */
  outcomesRepeated: 0,
  /** Outcomes that the server did not want: the work was somebody else's by then. */
  outcomesUnwanted: 0,
  /** Work items that the worker could not be given, and that went back. */
  itemsTurnedDown: 0,
};

/** Counters at 0. */
export function createCounters(): Counters {
  const counts = { ...NONE };
  return {
    add(name, count = 1) {
      counts[name] += count;
    },
    all: () => ({ ...counts }),
  };
}
