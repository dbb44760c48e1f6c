// failure-of: what user code threw, as a failure.

import { toFailure, type Failure } from "../contract/failure.ts";

/** The failure of what was thrown, even when looking at that throws. `what` threw it: "the activity". */
export function failureOf(thrown: unknown, what: string): Failure {
  try {
    return toFailure(thrown);
  } catch {
    return { errorType: "UnknownError", message: `What ${what} threw cannot be described: reading it threw again.` };
  }
}
