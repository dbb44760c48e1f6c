import assert from "node:assert/strict";
import { test } from "node:test";
import { LATEST_INSTANT } from "../contract/instant.ts";
import {
  commits,
  done,
  end,
  EPOCH,
  finished,
  fired,
  fold,
  held,
  inbox,
  kinds,
  asks,
  NUMBER,
  PARENT,
  pending,
  raised,
  room,
  RULES,
  running,
  runs,
  start,
  terminate,
} from "../../test/engine-story.ts";
import { createMemoryHub } from "../stores/memory/memory-store.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { closeTurn } from "./close-turn.ts";
import { EMPTY_COMMIT, type Commit } from "./commit.ts";
import { checkCommit } from "./invariants.ts";
import { openTurn, type Opening } from "./open-turn.ts";
import { decideStart, newInstanceRecord, startMessage } from "./start.ts";
import { decideRaise, decideTerminate } from "./control.ts";

const sound = (opening: Opening): Commit => {
  const commit = commits(opening);
  assert.equal(checkCommit(commit), undefined);
  return commit;
};

// ---- the turn

test("H3 the first turn begins with OrchestratorStarted and ExecutionStarted, whatever arrived before the start", () => {
  const turn = runs(openTurn(held(pending(), inbox(raised("early"), start(), raised("late"))), 160, RULES));
  assert.deepEqual(kinds(turn.newEvents), ["OrchestratorStarted", "ExecutionStarted", "EventRaised", "EventRaised"]);
  assert.deepEqual(turn.consumed, ["m2", "m1", "m3"]);
});

test("I5 events carried over a continue-as-new come right after the start, before what arrived meanwhile", () => {
  const carried = [{ ...raised("one"), kind: "EventRaised", name: "one" } as const];
  const turn = runs(openTurn(held(pending(), inbox(raised("meanwhile"), start({ carriedEvents: carried }))), 160, RULES));
  assert.deepEqual(
    turn.newEvents.map((event) => ("name" in event ? event.name : event.kind)),
    ["OrchestratorStarted", "o", "one", "meanwhile"],
  );
});

test("I5 arrivals never overtake each other; a timer stands where it was due", () => {
  const messages = inbox(
    { event: raised("second"), arrivedAt: 300, sequence: 4 },
    { event: raised("first"), arrivedAt: 300, sequence: 3 },
    { event: fired(1, 250), visibleAt: 250, arrivedAt: 120, sequence: 1 },
    { event: fired(2, 400), visibleAt: 400, arrivedAt: 110, sequence: 0 },
  );
  const turn = runs(openTurn(held(running(), messages), 500, RULES));
  assert.deepEqual(
    turn.newEvents.slice(1).map((event) => (event.kind === "TimerFired" ? event.timerId : event.kind === "EventRaised" && event.name)),
    [1, "first", "second", 2],
  );
});

test("T1 a turn's time is not before a timer that it takes", () => {
  const turn = runs(openTurn(held(running(), inbox({ event: fired(1, 900), visibleAt: 900 })), 850, RULES));
  assert.equal(turn.at, 900);
  assert.equal(turn.newEvents[0]?.timestamp, 900);
});

test("T3 a turn's time is not before the last turn's, though the clock has gone back", () => {
  assert.equal(runs(openTurn(held(running({ lastTurnAt: 200 }), inbox(raised("e"))), 20, RULES)).at, 200);
});

test("H9 a message for another execution reaches no program; it is consumed and counted as dropped", () => {
  const turn = runs(openTurn(held(running(), inbox({ event: done(1), execution: "old" }, raised("e"))), 300, RULES));
  assert.deepEqual(kinds(turn.newEvents), ["OrchestratorStarted", "EventRaised"]);
  assert.deepEqual([...turn.consumed].sort(), ["m1", "m2"]);
  assert.equal(turn.record.dropped, 1);
});

test("when there is nothing but such messages the program is not asked", () => {
  const commit = sound(openTurn(held(running(), inbox({ event: done(1), execution: "old" })), 300, RULES));
  assert.deepEqual([commit.consumed, commit.record?.dropped, commit.history, commit.keep], [["m1"], 1, undefined, false]);
});

test("a completion that is folded in stands behind the inbox, and takes its expiry away", () => {
  const expiry = {
    id: "x:x1",
    event: {
      kind: "TaskFailed",
      eventId: -1,
      timestamp: 290,
      taskScheduledId: 1,
      failure: { errorType: "ActivityTimeoutError", message: "" },
    },
  } as const;
  const turn = runs(openTurn(held(running(), inbox(raised("e"), expiry), [fold(1, { expiresAt: 290 })]), 300, RULES));
  assert.deepEqual(kinds(turn.newEvents), ["OrchestratorStarted", "EventRaised", "TaskCompleted"], "H2 one completion of the call");
  assert.deepEqual([turn.consumed, turn.cancelled, turn.finished], [["m1"], ["x:x1"], []]);
});

test("completions alone become the very turn that they become beside a message", () => {
  for (const folds of [[fold(1)], [fold(1, { expiresAt: 900 }), fold(2), fold(3, { expiresAt: 900 })]]) {
    const record = running({ lastTurnAt: 350, awaitedEvents: ["e"] });
    const alone = runs(openTurn(held(record, [], folds), 300, RULES));
    const beside = runs(openTurn(held(record, inbox(raised("e")), folds), 300, RULES));
    assert.deepEqual(alone, {
      ...beside,
      newEvents: beside.newEvents.filter((event) => event.kind !== "EventRaised"),
      consumed: [],
      taken: [],
    });
  }
  const gone = [
    running({ status: "SUSPENDED", held: true }),
    running({ notBefore: LATEST_INSTANT }),
    running({ attempts: 11 }),
    finished("FAILED"),
  ];
  for (const record of gone) assert.notEqual(openTurn(held(record, [], [fold(1)]), 300, RULES).kind, "run", record.status);
  assert.notEqual(openTurn(held(running(), [], [fold(1)]), 300, { ...RULES, canRun: false }).kind, "run");
});

test("a call whose time is up fails, and its row goes with the turn", () => {
  const expiry = {
    id: "x:x4",
    event: {
      kind: "TaskFailed",
      eventId: -1,
      timestamp: 290,
      taskScheduledId: 4,
      failure: { errorType: "ActivityTimeoutError", message: "" },
    },
  } as const;
  const turn = runs(openTurn(held(running(), inbox(expiry)), 300, RULES));
  assert.deepEqual(turn.finished, [{ number: NUMBER, generation: 1, taskId: 4 }]);
});

test("A3 a failure that is an attempt's own is no expiry: no row is taken away for it", () => {
  const failed = {
    id: "x:d4:1",
    event: { kind: "TaskFailed", eventId: -1, timestamp: 290, taskScheduledId: 4, failure: { errorType: "E", message: "" } },
  } as const;
  assert.deepEqual(runs(openTurn(held(running(), inbox(failed)), 300, RULES)).finished, []);
});

test("without a worker for it the inbox is left as it is", () => {
  assert.deepEqual(openTurn(held(running(), inbox(raised("e"))), 300, { ...RULES, canRun: false }), { kind: "nothing" });
});

test("C1 while it is suspended nothing is consumed, folded or started", () => {
  const suspended = running({ status: "SUSPENDED", held: true });
  assert.deepEqual(openTurn(held(suspended, inbox(raised("e"), { event: fired(1, 100), visibleAt: 100 }), [fold(1)]), 300, RULES), {
    kind: "nothing",
  });
});

test("C1 a start that comes while its instance is suspended waits in a message that does not wake it", () => {
  const commit = sound(
    openTurn(held(pending({ status: "SUSPENDED", held: true }), inbox({ event: start({ input: "1" }), wakes: "always" })), 300, RULES),
  );
  assert.deepEqual(
    [commit.consumed, commit.record, commit.messages.length, commit.messages[0]?.wakes],
    [["m1"], undefined, 1, "unless-held"],
  );
  assert.deepEqual(commit.messages[0]?.event, start({ input: "1" }));
  assert.notEqual(commit.messages[0]?.id, "m1");
});

test("I1 when a full hand-out has no start in it, what follows is asked for", () => {
  const many = inbox(...Array.from({ length: 1_000 }, (_, i) => raised(`e${i}`)));
  assert.deepEqual(openTurn(held(pending(), many), 300, RULES), { kind: "incomplete" });
  assert.deepEqual(openTurn(held(pending(), many.slice(1)), 300, RULES), { kind: "nothing" }, "fewer are all there are");
  assert.deepEqual(openTurn(held(pending(), many), 300, { ...RULES, canRun: false }), { kind: "nothing" });
});

// ---- the end from outside

test("C4 terminate wins over everything else in the inbox, folded completions too", () => {
  const messages = inbox(raised("e"), { event: done(1) }, terminate({ output: '"o"' }));
  const commit = sound(openTurn(held(running({ parent: PARENT }), messages, [fold(2)]), 300, RULES));
  assert.deepEqual(kinds(commit.history?.events), ["OrchestratorStarted", "ExecutionTerminated", "ExecutionCompleted"]);
  assert.deepEqual(
    [commit.record?.status, commit.payloads, commit.keep, commit.drop],
    ["TERMINATED", { output: '"o"' }, false, { execution: "x", generation: 1 }],
  );
  assert.deepEqual([[...commit.consumed].sort(), commit.record?.dropped], [["m1", "m3"], 1], "what was for this execution goes with it");
  const [told] = commit.messages;
  assert.deepEqual([told?.to, told?.execution, told?.event.kind], ["p", "px", "SubOrchestrationInstanceFailed"]);
});

test("terminate needs no worker and no turn before it; H3 the history begins with the start all the same", () => {
  const commit = sound(openTurn(held(pending(), inbox(terminate(), start())), 300, { ...RULES, canRun: false }));
  assert.deepEqual(kinds(commit.history?.events), ["OrchestratorStarted", "ExecutionStarted", "ExecutionTerminated", "ExecutionCompleted"]);
  assert.deepEqual(commit.record?.historyLength, 4);
});

test("I5 a terminate lets the start of a suspended execution in first, since what was carried along stands in it", () => {
  const suspended = pending({ status: "SUSPENDED", held: true, generation: 2, turn: 4 });
  const commit = sound(openTurn(held(suspended, inbox(terminate())), 300, RULES));
  assert.deepEqual([commit.consumed, commit.record?.held, commit.record?.status], [[], false, "RUNNING"]);
  const carried = [{ ...raised("one"), kind: "EventRaised", name: "one" } as const];
  const together = inbox(terminate(), start({ carriedEvents: carried }));
  const end = sound(openTurn(held({ ...suspended, status: "RUNNING", held: false }, together), 300, RULES));
  assert.deepEqual(
    end.history?.events.flatMap((event) => (event.kind === "ExecutionStarted" ? [event.carriedEvents] : [])),
    [carried],
  );
});

test("R3 terminating what was to start later takes its start back", () => {
  const later = held(pending({ scheduledAt: 9_000, notBefore: 9_000 }), inbox(terminate()));
  assert.deepEqual(openTurn(later, 300, RULES), { kind: "needs-payloads" });
  const commit = sound(openTurn(later, 300, RULES, { payloads: { input: '"Ada"' } }));
  const started = commit.history?.events[1];
  assert.equal(started?.kind === "ExecutionStarted" ? started.input : undefined, '"Ada"', "H3 its history has its input");
  assert.deepEqual(commit.cancelled, ["x:start", "x:start:held"]);
  assert.equal(kinds(commit.history?.events).at(-1), "ExecutionCompleted");
  assert.equal(commit.record?.notBefore, undefined);
});

test("C3 a recursive terminate asks for the children, page by page, and each child begins with its own first page", () => {
  const event = { ...terminate({ recursive: true, output: '"o"' }), after: "cursor1" } as HistoryEvent;
  const instance = held(running(), inbox(event));
  assert.deepEqual(openTurn(instance, 300, RULES), { kind: "needs-children", after: "cursor1" });
  const commit = sound(openTurn(instance, 300, RULES, { children: { ids: ["c1", "c2"], next: "cursor2" } }));
  assert.deepEqual(
    commit.messages.map((message) => [
      message.to,
      message.wakes,
      message.needs,
      "after" in message.event ? message.event.after : undefined,
    ]),
    [
      ["c1", "always", "engine", undefined],
      ["c2", "always", "engine", undefined],
      ["i", "always", "engine", "cursor2"],
    ],
  );
  const last = sound(openTurn(held(finished("TERMINATED"), inbox(event)), 300, RULES, { children: { ids: ["c3"] } }));
  assert.deepEqual(
    [last.messages.map((message) => message.to), last.history, last.consumed],
    [["c3"], undefined, ["m1"]],
    "a finished parent passes it on",
  );
});

test("C3 a recursion that came behind a plain terminate stays in the inbox, and is taken up when the instance has ended", () => {
  const messages = inbox(terminate(), terminate({ recursive: true }), raised("e"));
  assert.deepEqual([...sound(openTurn(held(running(), messages), 300, RULES)).consumed].sort(), ["m1", "m3"]);
  assert.equal(openTurn(held(finished("TERMINATED"), messages), 300, RULES).kind, "needs-children");
});

test("C3 a recursive terminate ends the next attempt of a child that had not begun; one that came later is not meant", () => {
  const failed = finished("FAILED", { parent: PARENT });
  const again = start({ executionId: "x2", parent: PARENT, input: "2" });
  const ended = sound(openTurn(held(failed, inbox(again, terminate({ recursive: true }))), 300, RULES, { children: { ids: [] } }));
  assert.deepEqual(
    [ended.record?.status, ended.record?.executionId, ended.record?.generation, ended.history?.mode],
    ["TERMINATED", "x2", 2, "replace"],
  );
  assert.deepEqual(ended.payloads, { input: "2", output: null, failure: null, customStatus: null });
  assert.equal(ended.messages.at(-1)?.event.kind, "SubOrchestrationInstanceFailed");
  const before = sound(openTurn(held(failed, inbox(terminate({ recursive: true }), again)), 300, RULES, { children: { ids: [] } }));
  assert.deepEqual([before.record?.status, before.consumed], ["FAILED", ["m1"]]);
});

test("a finished instance drops what comes, and counts it; with nothing in its inbox there is nothing to write", () => {
  const commit = sound(openTurn(held(finished("COMPLETED"), inbox(raised("e"), { event: done(1) }, terminate())), 300, RULES));
  assert.deepEqual(
    [commit.consumed, commit.record?.dropped, commit.record?.status, commit.history],
    [["m1", "m2", "m3"], 3, "COMPLETED", undefined],
  );
  assert.deepEqual(openTurn(held(finished("COMPLETED"), []), 300, RULES), { kind: "nothing" });
});

// ---- children's ids

test("S1 a start that finds its id taken is answered to the parent that sent it, and to nobody else", () => {
  const clash = start({ executionId: "other", parent: PARENT });
  for (const record of [
    running(),
    finished("COMPLETED"),
    finished("FAILED", { parent: { ...PARENT, instanceId: "q" } }),
    finished("FAILED", { parent: PARENT, name: "another" }),
  ]) {
    const commit = sound(openTurn(held(record, inbox(clash)), 300, RULES));
    const [answer] = commit.messages;
    assert.deepEqual([commit.consumed, answer?.to, answer?.execution, answer?.wakes], [["m1"], "p", "px", "unless-held"]);
    assert.ok(
      answer?.event.kind === "SubOrchestrationInstanceFailed" &&
        answer.event.taskScheduledId === 5 &&
        answer.event.failure.errorType === "OrchestrationAlreadyExists",
    );
    assert.deepEqual([commit.record?.status, commit.record?.executionId], [record.status, "x"]);
  }
});

test("S1 I2 the same start again is taken once and answered to nobody", () => {
  const commit = sound(openTurn(held(running({ parent: PARENT }), inbox(start({ parent: PARENT }))), 300, RULES));
  assert.deepEqual([commit.consumed, commit.messages], [["m1"], []]);
  const first = runs(openTurn(held(pending({ parent: PARENT }), inbox(start({ parent: PARENT }), start({ parent: PARENT }))), 300, RULES));
  assert.deepEqual(kinds(first.newEvents), ["OrchestratorStarted", "ExecutionStarted"]);
  assert.deepEqual(first.consumed, ["m1", "m2"]);
});

test("S1 a finished child makes way for the next attempt of the same call", () => {
  const before = finished("FAILED", { parent: PARENT, turn: 9, dropped: 2, tags: { old: "1" } });
  const again = start({ executionId: "x2", parent: { ...PARENT, taskScheduledId: 8 }, tags: { next: "1" } });
  const turn = runs(openTurn(held(before, inbox(again)), 300, RULES));
  assert.deepEqual(turn.replaces, before);
  const { status, executionId, generation, historyLength, turn: turns, number, epoch, parent, tags, completedAt } = turn.record;
  assert.deepEqual(
    [status, executionId, generation, historyLength, turns, number, epoch, parent?.taskScheduledId, tags, completedAt],
    ["PENDING", "x2", 2, 0, 9, NUMBER, EPOCH, 8, { next: "1" }, undefined],
  );
  const makesWay = sound(openTurn(held(before, inbox(again)), 300, { ...RULES, canRun: false }));
  assert.deepEqual(
    [makesWay.consumed, makesWay.record?.executionId, makesWay.history],
    [[], "x2", { mode: "replace", events: [] }],
    "the start waits for another process",
  );
  const there = makesWay.record!;
  assert.equal(runs(openTurn(held(there, inbox(again)), 310, RULES)).replaces, undefined, "there it is its own start");
});

// ---- what cannot be run

test("R4 more claims than allowed set it aside, and nothing of its inbox is consumed; terminate ends it all the same", () => {
  const often = running({ attempts: 11 });
  const commit = sound(openTurn(held(often, inbox(raised("e"))), 300, RULES));
  assert.deepEqual(
    [commit.record?.stall?.kind, commit.record?.stall?.attempts, commit.record?.notBefore, commit.consumed],
    ["set-aside", 10, LATEST_INSTANT, []],
  );
  assert.match(commit.record?.stall?.reason ?? "", /claimed 10 times/);
  assert.equal(openTurn(held(running({ attempts: 10 }), inbox(raised("e"))), 300, RULES).kind, "run");
  assert.deepEqual(
    openTurn(held(commit.record!, inbox(raised("e"))), 300, RULES),
    { kind: "nothing" },
    "once aside, it is not run and not set aside again",
  );
  assert.equal(sound(openTurn(held(commit.record!, inbox(terminate())), 300, RULES)).record?.status, "TERMINATED");
});

test("R4 an instance whose activity was set aside can be set aside itself", () => {
  const stall = { kind: "set-aside", reason: "its activity", since: 1, attempts: 10 } as const;
  assert.equal(sound(openTurn(held(running({ attempts: 11, stall }), inbox(raised("e"))), 300, RULES)).record?.notBefore, LATEST_INSTANT);
});

test("where unregistered work fails, it fails with its start in the history, and what could be folded is not", () => {
  const failWith = { errorType: "NotRegisteredError", message: "none", nonRetriable: true };
  const rules = { ...RULES, canRun: false, failWith };
  const first = sound(openTurn(held(pending({ parent: PARENT }), inbox(start())), 300, rules));
  assert.deepEqual(
    [kinds(first.history?.events), first.payloads],
    [["OrchestratorStarted", "ExecutionStarted", "ExecutionCompleted"], { failure: failWith }],
  );
  const later = sound(openTurn(held(running(), inbox(raised("e")), [fold(1)]), 300, rules));
  assert.deepEqual(kinds(later.history?.events), ["OrchestratorStarted", "EventRaised", "ExecutionCompleted"]);
  assert.equal(
    openTurn(held(running({ status: "SUSPENDED", held: true }), inbox(raised("e"))), 300, rules).kind,
    "nothing",
    "C1 not while it is suspended",
  );
  assert.equal(openTurn(held(pending(), inbox(raised("e"))), 300, rules).kind, "nothing", "H3 not before its start");
});

// ---- C4

type Happening = "start" | "complete" | "fail" | "terminate" | "continue-as-new" | "event";
const HAPPENINGS: readonly Happening[] = ["start", "complete", "fail", "terminate", "continue-as-new", "event"];

function* rows(length: number): Generator<readonly Happening[]> {
  if (length === 0) yield [];
  else for (const rest of rows(length - 1)) for (const one of HAPPENINGS) yield [...rest, one];
}

/** Lets it all happen to one instance over a real store. What arrives does so after `late` turns; what the program says, it says turn by turn. */
async function happen(happenings: readonly Happening[], late: number) {
  const store = createMemoryHub({ clock: { now: () => 1_000 } }).connect();
  for (const [instanceId, executionId] of [
    ["p", "px"],
    ["q", "qx"],
  ] as const) {
    await store.update(instanceId, (current, at) =>
      decideStart({ instanceId, executionId, name: "parent" }, { claimed: false, needs: "program" }, current, at),
    );
  }
  const child = start({ parent: PARENT });
  const made = newInstanceRecord(child, 1_000, false);
  await store.commit([
    {
      ...EMPTY_COMMIT,
      messages: [{ ...startMessage(child, "program"), wakes: "always", creates: { record: made, payloads: {}, claimed: false } }],
    },
  ]);

  const says = happenings.filter((each) => each === "complete" || each === "fail" || each === "continue-as-new");
  let raisedEvents = 0;
  let starts = 0;
  let terminates = 0;
  const arrive = async (): Promise<void> => {
    for (const [i, each] of happenings.entries()) {
      if (each === "event") {
        const answer = await store.update("i", (current, at) => decideRaise({ id: `e${i}`, name: `e${i}` }, current, at));
        if (!("refused" in answer)) raisedEvents++;
      }
      if (each === "terminate") {
        const answer = await store.update("i", (current, at) => decideTerminate({ id: `t${i}`, recursive: false }, current, at));
        if (!("refused" in answer)) terminates++;
      }
      if (each === "start") {
        starts++;
        await store.commit([
          {
            ...EMPTY_COMMIT,
            messages: [
              {
                ...startMessage(
                  start({ executionId: `clash${i}`, parent: { ...PARENT, instanceId: "q", executionId: "qx", taskScheduledId: i } }),
                  "program",
                ),
                wakes: "always",
              },
            ],
          },
        ]);
      }
    }
  };

  const received: string[] = [];
  let ends = 0;
  let turns = 0;
  if (late === 0) await arrive();
  for (let round = 0; round < 60; round++) {
    const claims = (
      await store.claim({ instances: 10, orchestrators: ["o"], entityCount: 0, entities: [], activityCount: 0, activities: [] })
    ).instances;
    if (claims.length === 0 && turns >= late) break;
    for (const claim of claims) {
      let instance = held(claim.record, claim.messages);
      for (;;) {
        const opening = openTurn(instance, 1_000, RULES);
        assert.ok(opening.kind === "run" || opening.kind === "commit", `claimed for ${opening.kind}`);
        let commit: Commit;
        if (opening.kind === "commit") commit = opening.commit;
        else {
          const next = says.shift();
          const status =
            next === "complete" ? "COMPLETED" : next === "fail" ? "FAILED" : next === "continue-as-new" ? "CONTINUED_AS_NEW" : undefined;
          for (const event of opening.turn.newEvents) if (event.kind === "EventRaised") received.push(event.name);
          commit = closeTurn(instance, opening.turn, asks(status === undefined ? [] : [end(status)]), room(), `g${turns}`);
        }
        assert.equal(checkCommit(commit), undefined);
        if (commit.history?.events.some((event) => event.kind === "ExecutionCompleted")) ends++;
        const [result] = await store.commit([commit]);
        assert.ok(result?.ok, "nobody else is there to fence it");
        turns++;
        if (turns === late) await arrive();
        if (!commit.keep) break;
        instance = held({ ...(commit.record ?? instance.record), number: result.number }, result.arrived);
        assert.ok(result.arrived.length > 0, "a kept lease goes on with the next start");
      }
    }
  }
  const left = await store.claim({ instances: 10, orchestrators: ["o"], entityCount: 0, entities: [], activityCount: 0, activities: [] });
  const after = (await store.read("i"))?.record;
  const parents = (
    await store.claim({ instances: 10, orchestrators: ["parent"], entityCount: 0, entities: [], activityCount: 0, activities: [] })
  ).instances;
  const toldTo = (id: string): number =>
    parents.find((claim) => claim.id === id)?.messages.filter((message) => message.event.kind.startsWith("SubOrchestration")).length ?? 0;
  return { after, ends, left: left.instances.length, received, raisedEvents, starts, terminates, told: toldTo("p"), refused: toldTo("q") };
}

for (const late of [0, 1]) {
  test(`C4 any row of up to four happenings, ${late === 0 ? "in one inbox" : "after the first turn"}, leaves one end or one live generation, and loses no start and no event`, async () => {
    let stories = 0;
    for (let length = 0; length <= 4; length++) {
      for (const happenings of rows(length)) {
        const story = happenings.join(", ") || "nothing";
        const { after, ends, left, received, raisedEvents, starts, terminates, told, refused } = await happen(happenings, late);
        assert.ok(after !== undefined, story);
        assert.equal(left, 0, `R3 nothing is left in the inbox: ${story}`);
        assert.ok(ends <= 1, `G8 one end: ${story}`);
        assert.equal(after.status === "RUNNING", ends === 0, `a live generation or an end: ${story}`);
        if (happenings.includes("terminate") && late === 0) assert.equal(after.status, "TERMINATED", `terminate wins: ${story}`);
        assert.deepEqual(received, [...new Set(received)].sort(), `I5 each once, in order: ${story}`);
        const surplus = terminates - Number(after.status === "TERMINATED");
        assert.equal(received.length + after.dropped, raisedEvents + surplus, `I5 received, or counted: ${story}`);
        assert.deepEqual(
          [told, refused],
          [ends, starts],
          `S1 the parent is told its end once, and each start that found the id taken is answered: ${story}`,
        );
        stories++;
      }
    }
    assert.equal(stories, 1 + 6 + 36 + 216 + 1_296);
  });
}
