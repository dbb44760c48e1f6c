import assert from "node:assert/strict";
import { test } from "node:test";
import {
  accepted,
  asks,
  call,
  claimOf,
  commits,
  done,
  end,
  EPOCH,
  finished,
  fold,
  held,
  inbox,
  NUMBER,
  PARENT,
  pending,
  raised,
  room,
  row,
  RULES,
  running,
  runs,
  start,
  stored,
  terminate,
} from "../../test/engine-story.ts";
import type { Action } from "../contract/actions.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import { closeActivity } from "./close-activity.ts";
import { closeStall } from "./close-stall.ts";
import { closeTurn } from "./close-turn.ts";
import type { Claim, Commit } from "./commit.ts";
import { decideAside, decidePurge, decideRaise, decideResume, decideStall, decideSuspend, decideTerminate } from "./control.ts";
import { checkClaim, checkCommit } from "./invariants.ts";
import { openTurn, setAside } from "./open-turn.ts";
import { decideStart } from "./start.ts";

const child: Action = { kind: "createSubOrchestration", id: 3, instanceId: "c", executionId: "cx", name: "o" };
const timer: Action = { kind: "createTimer", id: 4, fireAt: 900 };

function turnOf(actions: readonly Action[], record: InstanceRecord = running()): Commit {
  const turn = runs(
    openTurn(
      held(record, inbox(record.historyLength === 0 ? start() : raised("e")), record.historyLength === 0 ? [] : [fold(1)]),
      300,
      RULES,
    ),
  );
  return closeTurn(held(record, []), turn, asks(actions, { keptBytes: 1 }), room(), "x2");
}

/** Commits of every kind that there is. Each is sound; each of the stories below breaks one of them in one place. */
const turn = turnOf([call(2), child, timer]);
const first = turnOf([call(1)], pending());
const ended = turnOf([end("COMPLETED", { result: "1" })], running({ parent: PARENT }));
const anew = turnOf([end("CONTINUED_AS_NEW")]);
const born = accepted(
  decideStart({ instanceId: "i", executionId: "x", name: "o", input: "1" }, { claimed: true, needs: "program" }, undefined, 100),
);
const suspend = accepted(decideSuspend("why", stored(running()), 300));
const purge = accepted(decidePurge(stored(finished("COMPLETED"))));
const completion = closeActivity({ row: row(1), epoch: 8_192, delivery: 1, at: 100 }, done(1));
const raise = accepted(decideRaise({ id: "r", name: "e" }, stored(running()), 300));

test("whatever the makers of commits make is sound", () => {
  const all: Record<string, Commit> = {
    turn,
    first,
    ended,
    anew,
    born,
    suspend,
    purge,
    completion,
    raise,
    failed: turnOf([end("FAILED", { failure: { errorType: "E", message: "" } })]),
    quiet: turnOf([]),
    resume: accepted(decideResume(undefined, stored(running({ status: "SUSPENDED", held: true })), 300)),
    "suspend before the first turn": accepted(decideSuspend(undefined, stored(pending()), 300)),
    terminate: accepted(decideTerminate({ id: "t", recursive: true }, stored(running()), 300)),
    terminated: commits(openTurn(held(running(), inbox(terminate())), 300, RULES)),
    stalled: closeStall(held(running(), []), { kind: "version", reason: "" }, 300),
    "stalled by an operator": accepted(decideStall({ kind: "set-aside", reason: "", since: 1, attempts: 1 }, stored(running()))),
    aside: setAside(held(running(), []), "why", 300),
    "an activity aside": accepted(
      decideAside({ ...claimOf(row(1)), delivery: 3 }, { maxClaims: 2, reason: "why" }, stored(running()), 300),
    ),
    refusal: commits(openTurn(held(running(), inbox(start({ executionId: "other", parent: PARENT }))), 300, RULES)),
    later: accepted(
      decideStart({ instanceId: "i", executionId: "x", name: "o", startAt: 900 }, { claimed: true, needs: "program" }, undefined, 100),
    ),
  };
  for (const [name, commit] of Object.entries(all)) assert.equal(checkCommit(commit), undefined, name);
});

test("the answer to a child's start may come back to its sender, also when that has ended or goes on as another", () => {
  const selfish = start({ executionId: "other", parent: { ...PARENT, instanceId: "i", executionId: "old" } });
  const answered = commits(openTurn(held(running(), inbox(selfish)), 300, RULES));
  assert.deepEqual(
    answered.messages.map((message) => [message.to, message.execution]),
    [["i", "old"]],
  );
  assert.equal(checkCommit(answered), undefined);
});

const record = (commit: Commit, more: Partial<InstanceRecord>): Commit => ({ ...commit, record: { ...commit.record!, ...more } });
const events = (
  commit: Commit,
  change: (events: NonNullable<Commit["history"]>["events"]) => NonNullable<Commit["history"]>["events"],
): Commit => {
  const changed = change(commit.history!.events);
  return record(
    { ...commit, history: { mode: commit.history!.mode, events: changed } },
    { historyLength: commit.record!.historyLength + changed.length - commit.history!.events.length },
  );
};
const opener = turn.history!.events[0]!;

const planted: readonly (readonly [rule: RegExp, story: string, commit: Commit])[] = [
  [/L1 .*without a fence/, "a record is written unfenced", { ...turn, fences: [], finished: [], keep: false }],
  [/names the address 7, which cannot be known/, "an address that is still to be made has a number", { ...born, number: NUMBER }],
  [
    /fenced by the address 8/,
    "the fence is somebody else's",
    { ...turn, fences: [{ kind: "instance", number: 8, epoch: EPOCH }, turn.fences[1]!] },
  ],
  [/keeps a lease/, "a message keeps a lease", { ...raise, keep: true }],
  [/has fences on 1 activities and finishes 0/, "what is folded is not finished", { ...turn, finished: [] }],
  [/stands where the activity 9 is finished/, "another activity is finished than is fenced", { ...turn, finished: [row(9)] }],
  [
    /finishes an activity that it has no fence on/,
    "a completion finishes another activity besides",
    { ...completion, finished: [row(9), row(1)] },
  ],
  [
    /finishes the activity 1 of the address 8/,
    "an activity of another instance is finished",
    { ...turn, finished: [{ ...row(1), number: 8 }] },
  ],
  [/Only the first fence/, "a commit is about two instances", { ...turn, fences: [turn.fences[0]!, turn.fences[0]!] }],
  [/consumes the message m1 twice/, "a message is consumed twice", { ...turn, consumed: ["m1", "m2", "m1"] }],
  [
    /consumes the message m3 twice/,
    "a message of very many is consumed twice",
    { ...turn, consumed: [...Array.from({ length: 40 }, (_, i) => `m${i}`), "m3"] },
  ],
  [/sends the message .* twice/, "a message is sent twice", { ...turn, messages: [...turn.messages, turn.messages[0]!] }],
  [
    /sends the message .* twice/,
    "a message of very many is sent twice",
    {
      ...turn,
      messages: [...Array.from({ length: 40 }, (_, i) => ({ ...raise.messages[0]!, id: `r${i}` })), raise.messages[0]!, raise.messages[0]!],
    },
  ],
  [
    /T1 the timer/,
    "a timer is visible before it is due",
    { ...turn, messages: turn.messages.map((message) => (message.event.kind === "TimerFired" ? { ...message, visibleAt: 899 } : message)) },
  ],
  [
    /makes an instance that it does not start/,
    "a child is made under another id",
    { ...turn, messages: turn.messages.map((message) => (message.creates ? { ...message, to: "d" } : message)) },
  ],
  [
    /an address, an epoch or claims of its own/,
    "a child is made with an address",
    {
      ...turn,
      messages: turn.messages.map((message) =>
        message.creates ? { ...message, creates: { ...message.creates, record: { ...message.creates.record, number: 3 } } } : message,
      ),
    },
  ],
  [
    /H9 the message .* is for x, and the instance goes on as x2/,
    "a timer is left to the generation before",
    { ...anew, messages: [...anew.messages, turn.messages.find((message) => message.event.kind === "TimerFired")!] },
  ],
  [
    /C2 .* leaves the message/,
    "an ended instance leaves itself a timer",
    { ...ended, messages: [...ended.messages, turn.messages.find((message) => message.event.kind === "TimerFired")!] },
  ],
  [/C2 .* schedules the activity 2/, "an ended instance leaves an activity", { ...ended, activities: turn.activities }],
  [/C2 .* does not drop/, "an ended instance leaves what is addressed to it", (({ drop: _drop, ...rest }) => rest)(ended)],
  [/C2 .* does not drop/, "an ended instance drops another generation", { ...ended, drop: { execution: "x", generation: 2 } }],
  [/A6 the lease/, "an ended instance is kept", { ...ended, keep: true }],
  [/H8 .* writes no history/, "an activity is scheduled without history", (({ history: _history, ...rest }) => rest)(turn)],
  [
    /H8 the activity 8 is not in the history/,
    "an activity is scheduled that the history does not name",
    { ...turn, activities: [row(8, { epoch: 3 * 4_096 })] },
  ],
  [/schedules the activity 2 twice/, "an activity is scheduled twice", { ...turn, activities: [turn.activities[0]!, turn.activities[0]!] }],
  [
    /H9 the activity 2 is not of the execution/,
    "an activity is of another generation",
    { ...turn, activities: [{ ...turn.activities[0]!, generation: 2 }] },
  ],
  [
    /begins at epoch 1, which is not that of turn 3/,
    "an activity repeats an epoch",
    { ...turn, activities: [{ ...turn.activities[0]!, epoch: 1 }] },
  ],
  [
    /H4 .* writes history and leaves the record/,
    "history without a record",
    (({ record: _record, ...rest }) => rest)({ ...turn, activities: [] }),
  ],
  [/H4 .* writes payloads and leaves the record/, "payloads without a record", { ...raise, payloads: { output: "1" } }],
  [
    /H4 .* drops an execution and leaves the record/,
    "an execution goes and the record stays",
    { ...raise, drop: { execution: "x", generation: 1 } },
  ],
  [/C5 a purge leaves something behind/, "a purge sends a message", { ...purge, messages: raise.messages }],
  [/C7 .* with an address/, "a purge writes the record of what it purges", { ...purge, record: finished("COMPLETED") }],
  [
    /C7 .* that has begun/,
    "what replaces an instance has ended",
    { ...purge, record: { ...finished("COMPLETED"), number: 0, epoch: 0, attempts: 0 } },
  ],
  [
    /C7 .* that nothing starts/,
    "what replaces an instance is never started",
    { ...purge, record: { ...pending(), number: 0, epoch: 0, attempts: 0 } },
  ],
  [/writes the record of the address 8/, "the record is another's", record({ ...turn, activities: [] }, { number: 8 })],
  [/A commit that makes i writes the record of j/, "a start makes another id", record(born, { id: "j" })],
  [/G2 the epoch/, "the epoch goes back", record(turn, { epoch: EPOCH - 1 })],
  [/is SUSPENDED and not held/, "a suspended instance is not held", record(suspend, { held: false })],
  [/is RUNNING and held/, "a running instance is held", record(turn, { held: true })],
  [/H4 .* no time of completion/, "an end without a time", { ...ended, record: (({ completedAt: _at, ...rest }) => rest)(ended.record!) }],
  [/H4 .* still waits for something/, "an end that waits", record(ended, { awaitedEvents: ["e"] })],
  [
    /H9 .* drops what is not of the generation before/,
    "continue-as-new drops the new generation",
    { ...anew, drop: { execution: "x2", generation: 2 } },
  ],
  [/C4 .* starts no other/, "continue-as-new without a start", { ...anew, messages: [] }],
  [
    /H4 i counts 9 events/,
    "a first turn's count is too high",
    record({ ...first, history: { mode: "replace", events: first.history!.events } }, { historyLength: 9 }),
  ],
  [/H4 i counts 2 events/, "an append counts less than it writes", record(turn, { historyLength: 2 })],
  [/H1 a turn of i writes no event/, "an append of nothing", events({ ...turn, activities: [] }, () => [])],
  [/H1 .* under turn 0/, "a row without a turn", record({ ...turn, activities: [] }, { turn: 0 })],
  [/H3 a suspend or resume/, "a suspend writes more than its event", events(suspend, (is) => [...is, opener])],
  [/H3 a turn of i begins with EventRaised/, "a turn without OrchestratorStarted", events(turn, (is) => is.slice(1))],
  [/T3 a turn of i is written at 300, and its record says 299/, "the record has another time", record(turn, { lastTurnAt: 299 })],
  [/H4 i counts 1 claims/, "claims are not forgotten with a turn", record(turn, { attempts: 1 })],
  [
    /H3 the first turn of i, and no other/,
    "a first turn without a start",
    events(first, (is) => is.filter((event) => event.kind !== "ExecutionStarted")),
  ],
  [/H3 the first turn of i, and no other/, "a later turn with a start", events(turn, (is) => [is[0]!, start(), ...is.slice(1)])],
  [/H3 a turn of i begins twice/, "two turns in one row", events(turn, (is) => [...is, opener])],
  [/H3 a turn of i starts its execution twice/, "two starts in one row", events(first, (is) => [...is, start()])],
  [
    /H3 ExecutionCompleted \(COMPLETED\) of i is not its last event/,
    "something happens after the end",
    events(ended, (is) => [...is, raised("late")]),
  ],
  [
    /H3 ExecutionCompleted \(COMPLETED\) of i is not .* its status \(FAILED\)/,
    "history and record disagree about the end",
    record(ended, { status: "FAILED" }),
  ],
  [/H3 i is COMPLETED, and its turn ends with EventRaised/, "an end without ExecutionCompleted", events(ended, (is) => is.slice(0, 2))],
  [
    /H3 ExecutionCompleted \(COMPLETED\) of i is not/,
    "an end in a running instance",
    events(turn, (is) => [...is, ended.history!.events.at(-1)!]),
  ],
];

for (const [rule, story, commit] of planted) {
  test(`it is seen when ${story}`, () => assert.match(checkCommit(commit) ?? "nothing was seen", rule));
}

const claim: Claim = {
  number: NUMBER,
  id: "i",
  epoch: EPOCH,
  attempts: 1,
  record: running(),
  messages: inbox(raised("a"), raised("b")),
  held: false,
};

test("a claim that agrees with itself is sound", () => assert.equal(checkClaim(claim), undefined));

const plantedClaims: readonly (readonly [rule: RegExp, story: string, claim: Claim])[] = [
  [/carries the record of j/, "it carries another record", { ...claim, record: running({ id: "j" }) }],
  [/at epoch 4 carries a record at epoch 3/, "record and lease have other epochs", { ...claim, epoch: 4 }],
  [/is attempt 2 carries a record that counts 1/, "the attempts differ", { ...claim, attempts: 2 }],
  [/was not counted/, "it was not counted", { ...claim, attempts: 0, record: running({ attempts: 0 }) }],
  [/hands out 1001 messages/, "it hands out too much", { ...claim, messages: inbox(...Array.from({ length: 1_001 }, () => raised("e"))) }],
  [/lies at address 8/, "it hands out somebody else's message", { ...claim, messages: inbox({ event: raised("e"), number: 8 }) }],
  [/hands out the message m1 twice/, "it hands a message out twice", { ...claim, messages: [claim.messages[0]!, claim.messages[0]!] }],
  [/is SUSPENDED and not held/, "its record contradicts itself", { ...claim, record: running({ status: "SUSPENDED" }) }],
];

for (const [rule, story, broken] of plantedClaims) {
  test(`it is seen in a claim when ${story}`, () => assert.match(checkClaim(broken) ?? "nothing was seen", rule));
}
