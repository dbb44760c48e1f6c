// violation: a broken invariant, with what proves it.

/** The invariants that this checker can see broken. */
export type Invariant =
  | `I${1 | 2 | 3 | 4 | 5 | 6}`
  | `H${1 | 2 | 3 | 4 | 6 | 8 | 9}`
  | `A${1 | 2 | 3 | 4 | 5 | 6}`
  | `T${1 | 2 | 3 | 4}`
  | `C${1 | 2 | 3 | 4 | 5 | 7}`
  | `E${1 | 2 | 3 | 4 | 5 | 6 | 7}`
  | `L${1 | 2 | 3}`
  | "S1"
  | "R3";

/** A broken invariant. */
export interface Violation {
  readonly invariant: Invariant;
  /** Absent when it is about no single instance. */
  readonly instanceId?: string;
  readonly message: string;
  /** What proves it, for programs. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** Takes violations. */
export type Report = (
  invariant: Invariant,
  instanceId: string | undefined,
  message: string,
  facts?: Readonly<Record<string, unknown>>,
) => void;

/** A violation as one line. */
export function violationText({ invariant, instanceId, message, facts }: Violation): string {
  const where = instanceId === undefined ? "" : ` ${instanceId}:`;
  return `${invariant}${where} ${message}${facts === undefined ? "" : ` ${JSON.stringify(facts)}`}`;
}

/** Keeps what is reported, each sentence once. */
export function collect(): { readonly report: Report; readonly found: () => Violation[] } {
  const found = new Map<string, Violation>();
  return {
    report(invariant, instanceId, message, facts) {
      const violation = {
        invariant,
        ...(instanceId === undefined ? {} : { instanceId }),
        message,
        ...(facts === undefined ? {} : { facts }),
      };
      const key = `${invariant} ${instanceId ?? ""} ${message}`;
      if (!found.has(key)) found.set(key, violation);
    },
    found: () => [...found.values()],
  };
}

/** Whether two plain values are equal. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a).filter(([, value]) => value !== undefined);
  const right = new Map(Object.entries(b).filter(([, value]) => value !== undefined));
  return left.length === right.size && left.every(([key, value]) => right.has(key) && same(value, right.get(key)));
}
