// broken-worlds: for each invariant that the checker claims, worlds in which it is broken by hand.
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import { brokenEntities } from "./broken-entities.ts";
import type { Evidence } from "./check.ts";
import {
  begins,
  body,
  child,
  childCall,
  completed,
  dump,
  end,
  ended,
  eventMessage,
  fail,
  fired,
  first,
  goesOn,
  instance,
  invoke,
  ok,
  raised,
  row,
  running,
  scheduled,
  see,
  standing,
  stands,
  startMessage,
  started,
  suspended,
  terminated,
  timer,
  timerMessage,
  turnAt,
  whole,
} from "./hand-made.ts";
import type { Invariant } from "./violation.ts";

/** Each way in which an invariant can be broken: what it is, and what the checker is told. */
export const broken: { readonly [K in Invariant]: readonly (readonly [what: string, evidence: () => Evidence])[] } = {
  I1: [
    ["an accepted start is not there", () => ({ dump: dump([]), journal: [invoke("1", "start", { token: "e1" }), ok("1")] })],
    ["an instance waits for a start that will never come", () => ({ dump: dump([instance([])]) })],
    [
      "a start that nobody begins",
      () => ({ dump: dump([instance([])], [startMessage]), journal: [invoke("1", "start", { token: "e1" }), ok("1")], atRest: true }),
    ],
  ],
  I2: [
    [
      "a repeated start is refused",
      () => ({
        dump: dump([ended()]),
        journal: [invoke("1", "start", { token: "e1" }), ok("1"), invoke("2", "start", { token: "e1" }), fail("2", "INSTANCE_EXISTS")],
      }),
    ],
    [
      "two starts of one id are accepted",
      () => ({
        dump: dump([ended()]),
        journal: [invoke("1", "start", { token: "e1" }), ok("1"), invoke("2", "start", { token: "e2" }), ok("2")],
      }),
    ],
  ],
  I3: [
    [
      "a suspend is acknowledged and nothing is suspended",
      () => ({ dump: running(), journal: [begins(), invoke("1", "suspend"), ok("1")], complete: true }),
    ],
    [
      "a purge is acknowledged and the instance stands",
      () => ({ dump: dump([ended()]), journal: [stands(standing(ended()), {}), invoke("1", "purge"), ok("1", 1)], complete: true }),
    ],
  ],
  I4: [
    [
      "a refused start has started",
      () => ({ dump: dump([ended()]), journal: [invoke("1", "start", { token: "e1" }), fail("1", "INSTANCE_EXISTS")] }),
    ],
    [
      "a refused event is delivered",
      () => ({
        dump: dump([instance([...first, turnAt(200), raised('"x"')])], [timerMessage], [row]),
        journal: [invoke("1", "raise", { input: '"x"' }), fail("1", "INSTANCE_NOT_FOUND")],
      }),
    ],
  ],
  I5: [
    ["an accepted event leaves no trace", () => ({ dump: running(), journal: [invoke("1", "raise", { input: '"x"' }), ok("1")] })],
    [
      "an event is delivered twice",
      () => ({
        dump: dump([instance([...first, turnAt(200), raised('"x"'), raised('"x"')])], [timerMessage], [row]),
        journal: [invoke("1", "raise", { input: '"x"' }), ok("1")],
      }),
    ],
    [
      "events of one sender change places",
      () => ({
        dump: dump([instance([...first, turnAt(200), raised('"y"'), raised('"x"')])], [timerMessage], [row]),
        journal: [
          invoke("1", "raise", { event: "go", input: '"x"' }),
          ok("1"),
          invoke("2", "raise", { event: "go", input: '"y"' }),
          ok("2"),
        ],
      }),
    ],
    [
      "an event nobody took is lost at continue-as-new",
      () => {
        const before = instance([turnAt(100), started, raised('"x"')]);
        const next = instance([turnAt(100), { ...started, executionId: "e2" }], { executionId: "e2", generation: 2, turn: 2 });
        return {
          dump: dump([next]),
          journal: [stands(standing(before)), stands(standing(next))],
          taken: { atStart: () => [], inTheEnd: () => [] },
        };
      },
    ],
    [
      "an event is taken twice",
      () => ({
        dump: dump([ended()]),
        journal: [invoke("1", "raise", { input: '"x"' }), ok("1")],
        taken: { atStart: () => [], inTheEnd: () => ['"x"', '"x"'] },
      }),
    ],
  ],
  I6: [
    [
      "a reader sees an instance go back",
      () => ({
        dump: dump([ended()]),
        journal: [
          invoke("1", "get"),
          ok("1", { status: "COMPLETED", number: 1, generation: 1, turn: 3 }),
          invoke("2", "get"),
          ok("2", { status: "RUNNING", number: 1, generation: 1, turn: 2 }),
        ],
      }),
    ],
    [
      "an instance that runs is pending again",
      () => ({
        dump: running(),
        journal: [begins(), stands(standing(instance(first, { status: "PENDING" }), [timerMessage], [row]))],
      }),
    ],
    [
      "who started it does not find it",
      () => ({
        dump: dump([ended()]),
        journal: [invoke("1", "start", { token: "e1" }), ok("1"), invoke("2", "get"), see({ kind: "ok", call: "2", value: null })],
      }),
    ],
  ],
  H1: [
    ["ids go back", () => ({ dump: dump([instance([turnAt(100), started, timer, scheduled])], [timerMessage], [row]) })],
    [
      "rows of a history have a gap",
      () => ({
        dump: dump([
          {
            ...ended(),
            rows: [
              { turn: 1, first: 0, count: 4 },
              { turn: 2, first: 5, count: 4 },
            ],
          },
        ]),
      }),
    ],
    [
      "a written event changes",
      () => ({
        dump: running(),
        journal: [begins(), stands(goesOn([turnAt(100), { ...started, input: "2" }, scheduled, timer, turnAt(200), completed]))],
      }),
    ],
    ["a history becomes shorter", () => ({ dump: running(), journal: [stands(goesOn([...first, turnAt(200), completed])), begins()] })],
  ],
  H2: [
    [
      "an activity has two results",
      () => ({ dump: dump([instance([...first, turnAt(200), completed, completed, turnAt(500), fired, end])]) }),
    ],
    ["an answer is of another kind", () => ({ dump: dump([instance([...first, turnAt(500), { ...fired, timerId: 1 }, end])]) })],
    ["an ended instance has a timer to come", () => ({ dump: dump([ended()], [{ ...timerMessage, visibleAt: 5_000 }]) })],
  ],
  H3: [
    ["two ends", () => ({ dump: dump([instance([...whole, end])]) })],
    ["a history without its start", () => ({ dump: dump([instance([turnAt(100), scheduled])], [], [row]) })],
    ["a second start", () => ({ dump: dump([instance([...first, started])], [timerMessage], [row]) })],
  ],
  H4: [
    ["the status is another one", () => ({ dump: dump([instance(whole, { status: "FAILED" })]) })],
    ["the count is another one", () => ({ dump: dump([instance(whole, { historyLength: 3 })]) })],
    ["the output is another one", () => ({ dump: dump([instance(whole, {}, { output: "9" })]) })],
    ["the time is another one", () => ({ dump: dump([instance(whole, { lastTurnAt: 499 })]) })],
  ],
  H6: [
    [
      "a turn that is run again asks for something else",
      () => ({ dump: running(), journal: [see({ kind: "replayed", instanceId: "a", difference: "2 actions, not 1" })] }),
    ],
    ["the output is not what the program makes", () => ({ dump: dump([ended()]), expectations: [{ instanceId: "a", output: 9 }] })],
    ["it should have failed", () => ({ dump: dump([ended()]), expectations: [{ instanceId: "a", status: ["FAILED"] as const }] })],
    [
      "a step came to something else",
      () => ({
        dump: dump([instance([turnAt(100), started, { ...end, result: '{"log":["b"]}' }])]),
        expectations: [{ instanceId: "a", log: [["a"]] }],
      }),
    ],
  ],
  H8: [
    ["a result comes before its call", () => ({ dump: dump([instance([turnAt(100), started, completed, scheduled, end])]) })],
    ["an activity runs that nobody asked for", () => ({ dump: dump([instance(first)], [timerMessage], [row, { ...row, taskId: 9 }]) })],
  ],
  H9: [
    ["a history of another execution", () => ({ dump: dump([instance(first, { executionId: "e2" })]) })],
    ["an activity of the execution before", () => ({ dump: dump([instance(first)], [timerMessage], [row, { ...row, generation: 0 }]) })],
    [
      "two generations with one execution",
      () => ({ dump: running(), journal: [begins(), stands(goesOn(first, { generation: 2, turn: 2 }))] }),
    ],
  ],
  A1: [
    ["nobody will run an activity", () => ({ dump: dump([instance(first)], [timerMessage], []) })],
    [
      "a result without a body",
      () => ({
        dump: dump([ended()]),
        journal: [body("body-began", { taskId: 9 }), body("body-ended", { taskId: 9, outcome: "completed" })],
      }),
    ],
  ],
  A2: [
    [
      "an activity runs twice at once",
      () => ({ dump: running(), journal: [body("body-began"), body("body-began", { delivery: 2 }, "q")] }),
    ],
    [
      "it is given away before the lease is over",
      () => ({
        dump: running(),
        journal: [see({ kind: "lease", until: 1e9 }), body("body-began"), body("body-began", { delivery: 2 }, "q")],
      }),
    ],
  ],
  A3: [
    [
      "the result of an earlier delivery is written",
      () => ({
        dump: dump([ended()]),
        journal: [
          body("body-began"),
          see({ kind: "died" }),
          body("body-began", { delivery: 2 }, "q"),
          body("body-ended", { outcome: "completed", result: "7" }),
          body("body-ended", { delivery: 2, outcome: "completed", result: "70" }, "q"),
        ],
      }),
    ],
  ],
  A4: [
    [
      "another result is written",
      () => ({ dump: dump([ended()]), journal: [body("body-began"), body("body-ended", { outcome: "completed", result: "6" })] }),
    ],
    ["a result of a body that has not ended", () => ({ dump: dump([ended()]), journal: [body("body-began")] })],
  ],
  A5: [
    [
      "too many attempts",
      () => ({
        dump: running(),
        journal: [
          body("body-began"),
          body("body-ended", { outcome: "failed" }),
          body("body-began", { attempt: 2, taskId: 3 }),
          body("body-ended", { attempt: 2, taskId: 3, outcome: "failed" }),
        ],
        policies: { work: { maxAttempts: 1 } },
      }),
    ],
    [
      "an attempt comes too early",
      () => ({
        dump: running(),
        journal: [body("body-began"), body("body-ended", { outcome: "failed" }), body("body-began", { attempt: 2, taskId: 3 })],
        policies: { work: { maxAttempts: 3, firstDelayMs: 5_000 } },
      }),
    ],
    [
      "a claim is not counted",
      () => ({ dump: running(), journal: [body("body-began"), see({ kind: "died" }), body("body-began", {}, "q")] }),
    ],
    ["an attempt is left out", () => ({ dump: running(), journal: [body("body-began"), body("body-began", { attempt: 3, taskId: 3 })] })],
  ],
  A6: [["an ended instance has an activity to run", () => ({ dump: dump([ended()], [], [row]) })]],
  T1: [
    ["a timer fires early by the orchestrator's clock", () => ({ dump: dump([instance([...first, turnAt(499), fired], {})], [], [row]) })],
    [
      "a timer fires early by the store's clock",
      () => ({
        dump: running(),
        journal: [begins(), stands(standing(instance([...first, turnAt(500), fired]), [], [row]), { storeAt: 400 })],
      }),
    ],
  ],
  T2: [
    ["a timer is lost", () => ({ dump: dump([instance(first)], [], [row]) })],
    ["a timer fires as another one", () => ({ dump: dump([instance([...first, turnAt(900), { ...fired, fireAt: 600 }])], [], [row]) })],
    [
      "overdue timers fire out of order",
      () => {
        const early: HistoryEvent = { ...timer, eventId: 3, fireAt: 300 };
        const late: HistoryEvent = { ...fired, timerId: 3, fireAt: 300 };
        return { dump: dump([instance([...first, early, turnAt(900), fired, late])], [], [row]) };
      },
    ],
  ],
  T3: [
    [
      "a turn is before the one before it",
      () => ({ dump: dump([instance([...first, turnAt(50), completed], { lastTurnAt: 100 })], [timerMessage]) }),
    ],
    [
      "the record's time goes back",
      () => ({
        dump: running(),
        journal: [
          stands(goesOn([...first, turnAt(200), completed])),
          stands(goesOn([...first, turnAt(200), completed], { lastTurnAt: 100 })),
        ],
      }),
    ],
  ],
  T4: [
    [
      "a cancelled timer fires",
      () => ({
        dump: dump([
          instance([
            ...first,
            turnAt(200),
            completed,
            { kind: "TimerCancelled", eventId: -1, timestamp: 200, timerId: 2 },
            turnAt(500),
            fired,
            end,
          ]),
        ]),
      }),
    ],
  ],
  C1: [
    [
      "a suspended instance takes a result",
      () => ({ dump: dump([instance([...first, suspended, completed], { status: "SUSPENDED", held: true })], [timerMessage], []) }),
    ],
    [
      "a suspended instance has a turn",
      () => ({ dump: dump([instance([...first, suspended, turnAt(300)], { status: "SUSPENDED", held: true })], [timerMessage], [row]) }),
    ],
  ],
  C2: [
    [
      "what waited comes in another order",
      () => ({
        dump: dump([instance([...first, turnAt(200), raised('"x"')])], [timerMessage], [row]),
        journal: [
          stands(standing(instance(first), [timerMessage, eventMessage('"x"', 2), eventMessage('"y"', 3)], [row])),
          stands(
            standing(
              instance([
                ...first,
                suspended,
                { kind: "ExecutionResumed", eventId: -1, timestamp: 300 },
                turnAt(300),
                raised('"y"'),
                raised('"x"'),
              ]),
              [timerMessage],
              [row],
            ),
          ),
        ],
      }),
    ],
  ],
  C3: [
    ["a terminated instance goes on", () => ({ dump: running(), journal: [invoke("1", "terminate"), ok("1")], atRest: true })],
    [
      "a descendant goes on",
      () => ({
        dump: dump([instance([...first, childCall, turnAt(500), terminated, { ...end, status: "TERMINATED" }]), child("kid", 2)]),
        journal: [invoke("1", "terminate", { recursive: true }), ok("1")],
        atRest: true,
      }),
    ],
  ],
  C4: [
    ["a terminated execution completes", () => ({ dump: dump([instance([...first, turnAt(500), terminated, end])]) })],
    [
      "an ended instance goes on",
      () => ({
        dump: dump([ended()]),
        journal: [begins(), stands(standing(ended())), stands(goesOn([...whole, turnAt(600)], { status: "RUNNING" }))],
      }),
    ],
    ["a generation without a start", () => ({ dump: dump([instance([], { generation: 2, executionId: "e2", status: "RUNNING" })]) })],
  ],
  C5: [
    ["a purged instance is there", () => ({ dump: dump([ended()]), journal: [invoke("1", "purge"), ok("1", 1)] })],
    ["a message of nobody", () => ({ dump: dump([], [timerMessage]) })],
    ["an activity of nobody", () => ({ dump: dump([], [], [row]) })],
    ["an address comes back", () => ({ dump: running(), journal: [begins(), stands(undefined), begins()] })],
    [
      "an instance that nobody started",
      () => ({ dump: running(), journal: [invoke("1", "start", { token: "other" }), fail("1", "STORE_UNAVAILABLE"), begins()] }),
    ],
    [
      "an id that is used again begins where the one before ended",
      () => ({ dump: running(), journal: [stands(standing(instance(first, { turn: 7 }), [timerMessage], [row]))] }),
    ],
  ],
  C7: [
    [
      "a restart begins with another input",
      () => ({
        dump: dump(
          [ended(), instance([], { id: "b", number: 2, executionId: "e2" }, { input: "2" })],
          [{ ...startMessage, number: 2, event: { ...started, instanceId: "b", executionId: "e2" } }],
        ),
        journal: [
          begins(),
          stands(standing(ended())),
          invoke("1", "restart", { token: "e2" }),
          stands(
            standing(instance([], { id: "b", number: 2, executionId: "e2" }, { input: "2" }), [
              { ...startMessage, number: 2, event: { ...started, instanceId: "b", executionId: "e2" } },
            ]),
            { number: 2, id: "b" },
          ),
          ok("1", "b"),
        ],
        complete: true,
      }),
    ],
  ],
  L1: [
    [
      "an epoch that was overtaken writes",
      () => ({
        dump: running(),
        journal: [stands(standing(instance(first, { epoch: 3 }), [timerMessage], [row])), see({ kind: "committed", number: 1, epoch: 2 })],
      }),
    ],
    [
      "an epoch goes back",
      () => ({
        dump: running(),
        journal: [stands(standing(instance(first, { epoch: 3 }), [timerMessage], [row])), begins()],
      }),
    ],
    [
      "two write under one epoch",
      () => ({
        dump: running(),
        journal: [
          begins(),
          see({ kind: "committed", number: 1, epoch: 1 }, "p"),
          begins(),
          see({ kind: "committed", number: 1, epoch: 1 }, "q"),
        ],
      }),
    ],
  ],
  L2: [
    [
      "somebody writes where nobody is",
      () => ({ dump: dump([]), journal: [begins(), stands(undefined), see({ kind: "committed", number: 1, epoch: 1 })] }),
    ],
  ],
  L3: [
    ["a message is due and nobody reads it", () => ({ ...{ dump: running() }, atRest: true })],
    [
      "an activity is to be run and nobody runs it",
      () => ({ dump: dump([instance(first)], [{ ...timerMessage, visibleAt: 5_000 }], [{ ...row, owned: false }]), atRest: true }),
    ],
    ["an instance was to have ended", () => ({ dump: running(), expectations: [{ instanceId: "a" }] })],
  ],
  S1: [
    ["a child was never made", () => ({ dump: dump([instance([...first, childCall])], [timerMessage], [row]) })],
    [
      "a call has two children",
      () => ({ dump: dump([instance([...first, childCall]), child("kid", 2), child("other", 3)], [timerMessage], [row]) }),
    ],
  ],
  R3: [
    ["rows are left when everything was purged", () => ({ dump: dump([]), emptied: dump([], [timerMessage]) })],
    ["places in queues are left", () => ({ dump: dump([]), emptied: { ...dump([]), others: { waiting: 1 } } })],
    ["an ended instance has messages", () => ({ dump: dump([ended()], [eventMessage('"x"', 4)]), atRest: true })],
  ],
  ...brokenEntities,
};
