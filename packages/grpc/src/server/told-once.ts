// told-once: the events and signals that were taken lately, by their own ids.
//
// Always:  TO1 what is told again because its answer was lost is nothing new (I5), also when the first has been dealt with long since: an inbox
//             knows an id only while its message lies there.
//          TO2 what failed is forgotten: it may be told again.

import type { Backend, RaiseEventRequest, SignalEntityRequest } from "ostinato/contract";
import { createLately, type Lately } from "./lately.ts";

/** So many are remembered for each task hub; a repetition comes within seconds. */
const REMEMBERED = 20_000;

// No id has a control character.

/** Raises an event, once. */
export const raiseOnce = toldOnce(
  ({ instanceId, messageId }: RaiseEventRequest) => `${instanceId}\n${messageId}`,
  (backend, request) => backend.raiseEvent(request),
);

/** Signals an entity, once. */
export const signalOnce = toldOnce(
  ({ entityId, requestId }: SignalEntityRequest) => `${entityId}\n${requestId}`,
  (backend, request) => backend.signalEntity(request),
);

function toldOnce<R>(
  keyOf: (request: R) => string,
  tell: (backend: Backend, request: R) => Promise<void>,
): (backend: Backend, request: R) => Promise<void> {
  const lately = new WeakMap<Backend, Lately<Promise<void>>>();
  return (backend, request) => {
    let known = lately.get(backend);
    if (known === undefined) lately.set(backend, (known = createLately(REMEMBERED)));
    const told = known;
    const key = keyOf(request);
    const before = told.get(key);
    if (before !== undefined) return before;
    const telling = tell(backend, request);
    told.set(key, telling);
    telling.catch(() => told.delete(key));
    return telling;
  };
}
