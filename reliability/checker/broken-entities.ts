// broken-entities: for each invariant of entities worlds in which it is broken by hand.
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import type { InstanceRecord } from "../../packages/ostinato/src/contract/instance.ts";
import type { Evidence } from "./check.ts";
import type { Lists } from "./entity-rules.ts";
import { dump, fail, first, goesOn, instance, invoke, ok, row, standing, stands, timerMessage } from "./hand-made.ts";
import type { DumpedInstance, DumpedMessage } from "./stored.ts";

const A = "@list@a";
const OWNER = { instanceId: "a", executionId: "e1", criticalSectionId: "s1" };

/** Lists whose operations are called as what they add; `bad-...` fails, `pass-...` signals what it adds to `@list@b` as well. */
export const listsByHand: Lists = {
  isList: (id) => id.startsWith("@list@"),
  listOf: (text) => (text === undefined ? [] : (JSON.parse(text) as readonly string[])),
  meaningOf: (operation) => ({
    ...(operation === "read" ? {} : { appends: operation }),
    ...(operation.startsWith("bad-") ? { fails: true } : {}),
    ...(operation.startsWith("pass-") ? { passes: { to: "@list@b", appends: `${operation}-on` } } : {}),
  }),
};

/** A list as it lies in the store. */
export function list(entries: readonly string[], change: Partial<InstanceRecord> = {}): DumpedInstance {
  return {
    record: {
      number: 7,
      id: A,
      kind: "entity",
      name: "@list",
      executionId: A,
      lineage: A,
      status: "RUNNING",
      createdAt: 100,
      updatedAt: 500,
      epoch: 1,
      turn: 1,
      generation: 1,
      historyLength: 0,
      lastTurnAt: 0,
      attempts: 0,
      held: change.lockedBy !== undefined,
      dropped: 0,
      ...change,
    },
    payloads: entries.length === 0 ? {} : { state: JSON.stringify(entries) },
    history: [],
  };
}

const base = { timestamp: 200, entityId: A } as const;
export const called = (operation: string, eventId: number, change: object = {}): HistoryEvent => ({
  ...base,
  kind: "EntityOperationCalled",
  eventId,
  requestId: `r${eventId}`,
  operation,
  ...change,
});
export const signaled = (operation: string, eventId: number, change: object = {}): HistoryEvent => ({
  ...base,
  kind: "EntityOperationSignaled",
  eventId,
  requestId: `r${eventId}`,
  operation,
  ...change,
});
export const answered = (eventId: number, seen: readonly string[]): HistoryEvent => ({
  kind: "EntityOperationCompleted",
  eventId: -1,
  timestamp: 300,
  requestId: `r${eventId}`,
  result: JSON.stringify(seen),
});
export const refused = (eventId: number): HistoryEvent => ({
  kind: "EntityOperationFailed",
  eventId: -1,
  timestamp: 300,
  requestId: `r${eventId}`,
  failure: { errorType: "Error", message: "no" },
});
const locked: readonly HistoryEvent[] = [
  { kind: "EntityLockRequested", eventId: 3, timestamp: 200, criticalSectionId: "s1", lockSet: [A], position: 0 },
  { kind: "EntityLockGranted", eventId: -1, timestamp: 300, criticalSectionId: "s1" },
];
const queued = (operation: string): DumpedMessage => ({
  number: 7,
  id: operation,
  wakes: "unless-held",
  arrivedAt: 100,
  sequence: 1,
  event: signaled(operation, -1, { requestId: operation }),
});

/** A world in which an orchestration has asked for these, and the list stands so in the end. */
function world(events: readonly HistoryEvent[], end: readonly string[], change: Partial<Evidence> = {}): Evidence {
  const caller = [...first, ...events];
  return {
    dump: dump([instance(caller), list(end)], [timerMessage], [row]),
    journal: [stands(standing(instance(caller), [timerMessage], [row]))],
    lists: listsByHand,
    complete: true,
    ...change,
  };
}
const seenList = (of: DumpedInstance, messages: readonly DumpedMessage[] = [], storeAt = 1_000): ReturnType<typeof stands> =>
  stands(standing(of, messages), { number: 7, id: A, storeAt });
const gone = (): ReturnType<typeof stands> => stands(undefined, { number: 7, id: A });

type Worlds = readonly (readonly [what: string, evidence: () => Evidence])[];

/** Each way in which an invariant of entities can be broken. */
export const brokenEntities: Readonly<Record<`E${1 | 2 | 3 | 4 | 5 | 6 | 7}`, Worlds>> = {
  E1: [
    ["an update that was answered is lost", () => world([called("x", 3), answered(3, ["x"])], ["y"])],
    ["a stale read", () => world([called("x", 3), answered(3, ["x"]), called("read", 4), answered(4, [])], ["x"])],
    ["a version that never was", () => world([signaled("x", 3), signaled("y", 4), called("read", 5), answered(5, ["y"])], ["x", "y"])],
    [
      "an entry goes",
      () => {
        const journal = [seenList(list(["x"])), seenList(list(["y"], { turn: 2 }))];
        return world([signaled("x", 3), signaled("y", 4)], ["y"], { journal: [stands(goesOn([...first, signaled("x", 3)])), ...journal] });
      },
    ],
  ],
  E2: [
    [
      "an accepted signal is lost",
      () => ({
        dump: dump([list([])]),
        journal: [invoke("1", "signal", { requestId: "q", operation: "x" }, A), ok("1")],
        lists: listsByHand,
        complete: true,
        atRest: true,
      }),
    ],
    ["a signal is done twice", () => world([signaled("x", 3)], ["x", "x"])],
    ["signals of one sender change places", () => world([signaled("x", 3), signaled("y", 4)], ["y", "x"])],
    [
      "signals of one client change places",
      () => ({
        dump: dump([list(["y", "x"])]),
        journal: [
          invoke("1", "signal", { requestId: "q", operation: "x" }, A),
          ok("1"),
          invoke("2", "signal", { requestId: "r", operation: "y" }, A),
          ok("2"),
        ],
        lists: listsByHand,
        complete: true,
      }),
    ],
    [
      "what an operation signals is lost",
      () =>
        world([signaled("pass-x", 3)], ["pass-x"], {
          atRest: true,
          dump: dump([list(["pass-x"]), list([], { id: "@list@b", number: 8 })]),
        }),
    ],
  ],
  E3: [
    ["what a failed call has written stays", () => world([called("x", 3), refused(3)], ["x"])],
    ["what a failed signal has written stays", () => world([signaled("bad-x", 3)], ["bad-x"])],
    [
      "what a failed operation has signalled arrives",
      () =>
        world([called("pass-x", 3), refused(3)], [], {
          dump: dump([list([]), { ...list(["pass-x-on"], { id: "@list@b", number: 8 }) }]),
        }),
    ],
  ],
  E4: [
    ["a lock is left", () => ({ dump: dump([list(["x"], { lockedBy: OWNER })]), atRest: true })],
    [
      "one that has ended still has its section",
      () => {
        const ended = instance([], { status: "COMPLETED", sections: [{ id: "s1", lockSet: [A], granted: true }] });
        return { dump: dump([ended]), atRest: true };
      },
    ],
  ],
  E5: [
    [
      "a foreign operation is done while a section has the entity",
      () =>
        world([...locked, called("x", 4)], ["y"], {
          journal: [
            stands(goesOn([...first, ...locked, called("x", 4)])),
            invoke("1", "signal", { requestId: "q", operation: "y" }, A),
            ok("1"),
            seenList(list([], { lockedBy: OWNER })),
            seenList(list(["y"], { lockedBy: OWNER, turn: 2 })),
          ],
        }),
    ],
    [
      "a section sees the entity change under it",
      () => world([...locked, called("read", 4), answered(4, []), signaled("y", 5), called("read", 6), answered(6, ["y"])], ["y"]),
    ],
  ],
  E6: [
    ["one with something to do is cleaned up", () => ({ dump: dump([]), journal: [seenList(list([]), [queued("x")]), gone()] })],
    ["one that is locked is cleaned up", () => ({ dump: dump([]), journal: [seenList(list([], { lockedBy: OWNER })), gone()] })],
    ["one with a state is cleaned up", () => ({ dump: dump([]), journal: [seenList(list(["x"])), gone()] })],
  ],
  E7: [
    [
      "a signal for later is early",
      () =>
        world([signaled("x", 3, { scheduledAt: 900 })], ["x"], {
          journal: [
            stands(goesOn([...first, signaled("x", 3, { scheduledAt: 900 })])),
            seenList(list([])),
            seenList(list(["x"], { turn: 2 }), [], 899),
          ],
        }),
    ],
  ],
};

/** Worlds of entities in which nothing is broken. */
export const soundEntities: Worlds = [
  [
    "calls, signals and a section",
    () =>
      world(
        [
          called("x", 3),
          answered(3, ["x"]),
          ...locked.map((event) => ({ ...event, eventId: event.eventId === 3 ? 4 : -1 })),
          called("read", 5),
          answered(5, ["x"]),
        ],
        ["x"],
      ),
  ],
  ["an operation that fails", () => world([called("bad-x", 3), refused(3), called("read", 4), answered(4, [])], [])],
  [
    "a signal that was refused, and one of which nobody knows the outcome",
    () => ({
      dump: dump([list([])]),
      journal: [
        invoke("1", "signal", { requestId: "q", operation: "x" }, A),
        fail("1", "INVALID_ARGUMENT"),
        invoke("2", "signal", { requestId: "r", operation: "y" }, A),
      ],
      lists: listsByHand,
      complete: true,
      atRest: true,
    }),
  ],
  [
    "one that is cleaned up when it is empty",
    () => ({ dump: dump([]), journal: [seenList(list(["x"])), seenList(list([], { turn: 2 })), gone()] }),
  ],
];
