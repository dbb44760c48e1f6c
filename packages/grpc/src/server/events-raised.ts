// events-raised: the events that were taken lately, by their own ids.
//
// Always:  ER1 an event that is told again because its answer was lost is no second event (I5), also when the first has been received long since:
//             an inbox knows an id only while its message lies there.
//          ER2 what failed is forgotten: it may be told again.

import type { Backend, RaiseEventRequest } from "ostinato/contract";
import { createLately, type Lately } from "./lately.ts";

/** So many are remembered for each task hub; a repetition comes within seconds. */
const REMEMBERED = 20_000;

const raisedLately = new WeakMap<Backend, Lately<Promise<void>>>();

/** Raises an event, once. */
export function raiseOnce(backend: Backend, request: RaiseEventRequest): Promise<void> {
  let known = raisedLately.get(backend);
  if (known === undefined) raisedLately.set(backend, (known = createLately(REMEMBERED)));
  // No id has a control character.
  const key = `${request.instanceId}\n${request.messageId}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const raised = backend.raiseEvent(request);
  known.set(key, raised);
  raised.catch(() => known.delete(key));
  return raised;
}
