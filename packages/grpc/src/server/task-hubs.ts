// task-hubs: the task hubs that a server speaks for.
//
// Owns:    which hub a call is about.
// Always:  TH1 to a caller who may not use it, a hub that is there and one that is not are refused alike.

import { InvalidArgumentError, type Hub } from "ostinato";
import { partsOf, type BackendParts } from "ostinato/contract";
import { WireError } from "../transport/wire-error.ts";
import type { Caller } from "./access.ts";
import { createTraceContexts, type TraceContexts } from "./trace-contexts.ts";
import { WorkOut } from "./work-out.ts";
import type { WorkStream } from "./work-stream.ts";

/** A task hub, or several by their names. */
export type Hubs = Hub | Readonly<Record<string, Hub>>;

/** A task hub that is served: what it is made of, and what is out with its workers. */
export interface ServedHub extends BackendParts {
  readonly name: string;
  readonly out: WorkOut;
  readonly streams: Set<WorkStream>;
  readonly traces: TraceContexts;
}

/** The hubs of a server. */
export interface TaskHubs extends Iterable<ServedHub> {
  /** @throws WireError NOT_FOUND; PERMISSION_DENIED for a caller who is kept to other hubs. */
  find(caller: Caller, name: string | undefined): ServedHub;
  readonly first: ServedHub;
}

/** The name of a hub that was given none, and of the one that is meant where a call names none. */
const DEFAULT = "default";

/** Takes up the hubs that are to be served. */
export function createTaskHubs(given: Hubs): TaskHubs {
  const hubs = new Map<string, ServedHub>();
  for (const [name, hub] of Object.entries(isOneHub(given) ? { [DEFAULT]: given } : given)) {
    if (name.trim() === "") throw new InvalidArgumentError("A task hub has an empty name; give it one.");
    hubs.set(name, { ...partsOf(hub), name, out: new WorkOut(), streams: new Set(), traces: createTraceContexts() });
  }
  const [first] = hubs.values();
  if (first === undefined) throw new InvalidArgumentError("There is no task hub to serve: give one, or several by their names.");
  const meant = hubs.size === 1 ? first.name : DEFAULT;

  return {
    first,
    find(caller, name = meant) {
      if (caller.hubs !== "any" && !caller.hubs.has(name))
        throw new WireError("PERMISSION_DENIED", "The token does not allow this on this task hub.");
      const hub = hubs.get(name);
      if (hub === undefined)
        throw new WireError(
          "NOT_FOUND",
          `There is no task hub '${name}' here. Say which with metadata 'taskhub', or leave it out for the usual one.`,
        );
      return hub;
    },
    [Symbol.iterator]: () => hubs.values(),
  };
}

/** Whether it is one hub, and not several by their names. */
export function isOneHub(hubs: Hubs): hubs is Hub {
  return typeof hubs["startWorker"] === "function" && typeof hubs["close"] === "function";
}
