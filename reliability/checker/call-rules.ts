// call-rules: what was promised to clients, beside what became of it.
//
// Owns:    I1 to I4, I6 (as readers see it), C3, C5, C7.
import { mayHaveHappened, type Call } from "./journal.ts";
import type { Life } from "./sight-rules.ts";
import { isEnd } from "./row-rules.ts";
import type { Dump, Standing } from "./stored.ts";
import type { Report } from "./violation.ts";

/** What the rules about calls look at. */
export interface Told {
  readonly calls: readonly Call[];
  readonly lives: readonly Life[];
  readonly dump: Dump;
  /** Every state that was ever committed is in `lives`. */
  readonly complete: boolean;
  /** Nothing is under way any more, and the time that recovery may take has passed. */
  readonly atRest: boolean;
}

/** Reports what is wrong with what clients were told. */
export function checkCalls(told: Told, report: Report): void {
  const byId = new Map<string, Call[]>();
  for (const call of told.calls) byId.set(call.instanceId, [...(byId.get(call.instanceId) ?? []), call]);
  for (const [id, calls] of byId) {
    checkStarts(id, calls, told, report);
    checkPurges(id, calls, told, report);
    checkTerminates(id, calls, told, report);
    checkReads(calls, report);
    if (told.complete) for (const call of calls) checkAcknowledged(call, told, report);
  }
}

const removes = (call: Call): boolean =>
  mayHaveHappened(call) && (call.op === "purge" || call.op === "restart" || (call.op === "start" && call.request.replaces === true));

/** Starts by their tokens: I1, I2, I4. */
function checkStarts(id: string, calls: readonly Call[], told: Told, report: Report): void {
  const starts = calls.filter((call) => call.op === "start");
  const removals = calls.filter(removes);
  const byToken = new Map<string, Call[]>();
  for (const call of starts)
    if (call.request.token !== undefined) byToken.set(call.request.token, [...(byToken.get(call.request.token) ?? []), call]);
  const there = told.dump.instances.find(({ record }) => record.id === id);

  for (const [token, asked] of byToken) {
    const lives = told.lives.filter(
      (life) => life.id === id && life.moments.some(({ standing }) => standing?.instance.record.executionId === token),
    );
    const exists = lives.length > 0 || there?.record.executionId === token;
    const accepted = asked.find((call) => call.outcome === "ok");
    if (accepted !== undefined && !exists && (told.complete || (there === undefined && removals.length === 0)))
      report("I1", id, "Its start was accepted, and it is not there.", { token });
    if (exists && !asked.some(mayHaveHappened)) report("I4", id, "Its start was refused, and it is there.", { token });
    if (lives.length > 1 && removals.length === 0)
      report("I2", id, "One start was run twice.", { token, numbers: lives.map((life) => life.number) });
    const refused = asked.find((call) => call.code === "INSTANCE_EXISTS");
    if (accepted !== undefined && refused !== undefined && !removals.some((call) => call.from < Math.max(refused.to, accepted.to)))
      report("I2", id, "One start was accepted, and asked again it was refused.", { token });
    if (
      told.atRest &&
      there?.record.executionId === token &&
      there.record.status === "PENDING" &&
      there.record.stall === undefined &&
      (there.record.scheduledAt ?? 0) <= told.dump.at
    )
      report("I1", id, "It was started, and nobody has begun it.", { token });
  }
  if (byToken.size === 0 && there === undefined && removals.length === 0 && starts.some((call) => call.outcome === "ok"))
    report("I1", id, "Its start was accepted, and it is not there.");
  for (const one of starts)
    for (const other of starts) {
      if (
        one.outcome !== "ok" ||
        other.outcome !== "ok" ||
        other.from < one.to ||
        other.request.token === one.request.token ||
        other.request.replaces === true
      )
        continue;
      if (one.request.token !== undefined && !removals.some((call) => call.from < other.to && call.to > one.from))
        report("I2", id, "Two different starts were accepted, one after the other.", { first: one.call, second: other.call });
    }
}

/** C5: what was purged stays away until somebody starts it. */
function checkPurges(id: string, calls: readonly Call[], told: Told, report: Report): void {
  const known = new Set(calls.filter((call) => call.op === "start" || call.op === "restart").map((call) => call.request.token));
  const purged = calls.findLast(
    (call) => call.op === "purge" && call.outcome === "ok" && (typeof call.value !== "number" || call.value > 0),
  );
  const again = (call: Call): boolean =>
    mayHaveHappened(call) && (call.op === "start" || call.op === "restart" || call.op === "rewind") && call.to > (purged?.from ?? 0);
  const there = told.dump.instances.find(({ record }) => record.id === id);
  if (purged !== undefined && there !== undefined && there.record.parent === undefined && !calls.some(again))
    report("C5", id, "It was purged, and is there again.", { status: there.record.status });
  const lives = told.lives.filter((life) => life.id === id);
  lives.forEach((life, at) => {
    const first = life.moments.find(({ standing }) => standing !== undefined)?.standing?.instance.record;
    if (first === undefined) return;
    const before = lives[at - 1];
    if (before !== undefined && life.number <= before.number)
      report("C5", id, `It came again under the address ${life.number}, after ${before.number}.`);
    if (first.parent === undefined && known.size > 0 && !known.has(undefined) && !known.has(first.executionId))
      report("C5", id, "It came to be, and nobody had started it.", { executionId: first.executionId });
  });
}

/** C3: at rest whatever a terminate was to reach has ended. */
function checkTerminates(id: string, calls: readonly Call[], told: Told, report: Report): void {
  if (!told.atRest) return;
  const ended = calls.findLast((call) => call.op === "terminate" && call.outcome === "ok");
  if (ended === undefined) return;
  const again = (each: string): boolean =>
    told.calls.some(
      (call) =>
        call.instanceId === each && ["start", "restart", "rewind"].includes(call.op) && mayHaveHappened(call) && call.to > ended.from,
    );
  const alive = (each: string): boolean => {
    const record = told.dump.instances.find(({ record: { id: other } }) => other === each)?.record;
    return record !== undefined && !isEnd(record.status);
  };
  if (alive(id) && !again(id)) report("C3", id, "It was told to end, and goes on.");
  if (ended.request.recursive !== true || again(id)) return;
  const reached = new Set([id]);
  for (let grown = true; grown;) {
    grown = false;
    for (const { record } of told.dump.instances)
      if (record.parent !== undefined && reached.has(record.parent.instanceId) && !reached.has(record.id) && !again(record.id)) {
        reached.add(record.id);
        grown = true;
      }
  }
  for (const each of reached)
    if (each !== id && alive(each)) report("C3", each, `Its ancestor ${id} was told to end with all below it, and it goes on.`);
}

/** What a reader was told. */
interface Read {
  readonly status?: string;
  readonly number?: number;
  readonly generation?: number;
  readonly turn?: number;
}

/** I6: nobody sees an instance go back. */
function checkReads(calls: readonly Call[], report: Report): void {
  const reads = calls.filter((call) => call.op === "get" && call.outcome === "ok" && typeof call.value === "object" && call.value !== null);
  for (let at = 1; at < reads.length; at++) {
    const later = reads[at]!;
    const before = reads.findLast((call) => call.to < later.from);
    if (before === undefined) continue;
    const [a, b] = [before.value as Read, later.value as Read];
    if (a.number === undefined || a.number !== b.number || a.generation === undefined || b.generation === undefined) continue;
    const back = b.generation < a.generation || (b.generation === a.generation && (b.turn ?? 0) < (a.turn ?? 0));
    const revived = b.generation === a.generation && isEnd(a.status ?? "") && b.status !== a.status;
    if (back || revived)
      report("I6", later.instanceId, `A reader saw it ${a.status} (turn ${a.turn}), and a later one ${b.status} (turn ${b.turn}).`);
  }
  // Who was told that it is there sees it.
  for (const read of calls) {
    if (read.op !== "get" || read.outcome !== "ok" || read.value !== null) continue;
    const started = calls.find((call) => call.op === "start" && call.outcome === "ok" && call.to < read.from);
    if (started !== undefined && !calls.some((call) => removes(call) && call.from < read.to))
      report("I6", read.instanceId, "Its start was accepted, and a later reader did not find it.", {
        start: started.call,
        read: read.call,
      });
  }
}

/** I3: what was acknowledged was there when it was acknowledged. C7: what a restart makes has the input of what it was made from. */
function checkAcknowledged(call: Call, told: Told, report: Report): void {
  if (call.outcome !== "ok") return;
  const holds = POSTCONDITIONS[call.op];
  // A server remembers for a while what it has done: an event that is told again was done when it was told first.
  const { messageId } = call.request;
  const isTold = messageId !== undefined && told.calls.some((each) => each.from < call.from && each.request.messageId === messageId);
  if (holds !== undefined && !isTold && !statesDuring(call, told).some((standing) => holds(standing, call)))
    report("I3", call.instanceId, `${call.op} was acknowledged before it was done.`, { call: call.call });
  if (call.op === "restart" && typeof call.value === "string") checkRestart(call, call.value, told, report);
}

/** What holds at some moment between the question and its answer. Absent: the instance is not there. */
const POSTCONDITIONS: { readonly [op: string]: (standing: Standing | undefined, call: Call) => boolean } = {
  start: (standing, { request }) =>
    standing !== undefined &&
    (request.token === undefined || standing.instance.record.executionId === request.token || standing.instance.record.generation > 1),
  suspend: (standing) =>
    standing === undefined || standing.instance.record.status === "SUSPENDED" || isEnd(standing.instance.record.status),
  resume: (standing) => standing?.instance.record.status !== "SUSPENDED",
  purge: (standing, { value }) => value === 0 || standing === undefined,
  terminate: (standing) =>
    standing === undefined ||
    isEnd(standing.instance.record.status) ||
    standing.messages.some(({ event }) => event.kind === "ExecutionTerminated"),
  raise: (standing, { request }) =>
    standing === undefined ||
    isEnd(standing.instance.record.status) ||
    request.messageId === undefined ||
    standing.messages.some(({ id }) => id === request.messageId) ||
    standing.instance.history.some((event) => event.kind === "EventRaised" && event.input === request.input) ||
    standing.instance.record.dropped > 0 ||
    standing.instance.record.generation > 1,
};

/** How the id stood from just before the call until its answer, one state after the other. */
function statesDuring(call: Call, { lives }: Told): (Standing | undefined)[] {
  const states: (Standing | undefined)[] = [];
  let before: Standing | undefined;
  for (const life of lives) {
    if (life.id !== call.instanceId) continue;
    for (const { place, standing } of life.moments) {
      if (place <= call.from) before = standing;
      else if (place <= call.to) states.push(standing);
    }
  }
  return [before, ...states];
}

function checkRestart(call: Call, newId: string, told: Told, report: Report): void {
  const { token } = call.request;
  const made = told.lives.findLast(
    (life) => life.id === newId && life.moments.some(({ standing }) => standing?.instance.record.executionId === token),
  );
  const begun = made?.moments.find(({ standing }) => standing?.instance.record.executionId === token);
  // However it stood while it was asked for, by the first who asked for this: one that goes on may be restarted under another id.
  const asked = told.calls.filter((other) => other.op === "restart" && other.request.token === token).map((other) => other.from);
  const sources = statesDuring({ ...call, from: Math.min(...asked, call.from, begun?.place ?? 0) }, told).flatMap(
    (standing) => standing?.instance ?? [],
  );
  const to = begun?.standing?.instance;
  if (to === undefined || sources.length === 0) return;
  if (!sources.some((from) => to.record.name === from.record.name && to.payloads.input === from.payloads.input))
    report("C7", newId, `A restarted instance does not begin as ${call.instanceId} did.`);
  if (to.history.length > 0) report("C7", newId, "A restarted instance has a history before it has begun.");
}
