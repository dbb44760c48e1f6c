// counts: what the server has counted.
//
// Always:  every refusal, drop and duplicate is counted (O2).

/** What is counted. */
export type CountName =
  | "calls"
  | "callsFailed"
  | "callsRefused"
  | "streamsOpened"
  | "streamsStuck"
  | "itemsSent"
  | "itemsTooLarge"
  | "pings"
  | "completions"
  | "completionsDuplicate"
  | "completionsUnknown"
  | "completionsRefused"
  | "abandons"
  | "historiesRead";

/** Counts, all from 0. */
export interface Counts {
  add(name: CountName): void;
  read(): Readonly<Record<CountName, number>>;
}

/** Makes counts. */
export function createCounts(): Counts {
  const counted: Record<CountName, number> = {
    calls: 0,
    callsFailed: 0,
    callsRefused: 0,
    streamsOpened: 0,
    streamsStuck: 0,
    itemsSent: 0,
    itemsTooLarge: 0,
    pings: 0,
    completions: 0,
    completionsDuplicate: 0,
    completionsUnknown: 0,
    completionsRefused: 0,
    abandons: 0,
    historiesRead: 0,
  };
  return { add: (name) => void counted[name]++, read: () => ({ ...counted }) };
}
