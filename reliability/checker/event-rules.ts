// event-rules: what became of every external event that was accepted (I5).
//
// An event leaves traces: in an inbox, in a history, among the events that a continue-as-new carries along. It is told by its payload, so
// whoever journals gives each event a payload of its own.
import { mayHaveHappened, type Call } from "./journal.ts";
import { isEnd } from "./row-rules.ts";
import type { Life } from "./sight-rules.ts";
import type { Dump, DumpedInstance } from "./stored.ts";
import type { Report } from "./violation.ts";

/** The payloads that a program says it has taken from events, in the order in which its waits got them; nothing where it cannot be told. */
export interface Taken {
  /** When this execution began. */
  readonly atStart: (instance: DumpedInstance) => readonly string[] | undefined;
  /** As far as its execution has come. */
  readonly inTheEnd: (instance: DumpedInstance) => readonly string[] | undefined;
}

/** Reports events that were lost, doubled or reordered. `complete`: `lives` has every state that was ever committed. */
export function checkEvents(
  calls: readonly Call[],
  lives: readonly Life[],
  dump: Dump,
  taken: Taken,
  complete: boolean,
  report: Report,
): void {
  const raised = new Map<string, Call[]>();
  for (const call of calls) if (call.op === "raise") raised.set(call.instanceId, [...(raised.get(call.instanceId) ?? []), call]);
  for (const [id, asked] of raised) {
    const own = lives.filter((life) => life.id === id);
    const there = dump.instances.find(({ record }) => record.id === id);
    const removed =
      calls.some((call) => call.instanceId === id && ["purge", "restart", "rewind"].includes(call.op) && mayHaveHappened(call)) ||
      calls.some((call) => call.op === "start" && call.instanceId === id && call.request.replaces === true);
    checkLost(id, asked, own, there, dump, complete, removed, report);
  }
  const repeated = askedAgain(calls);
  for (const life of lives) {
    checkCarried(life, taken, repeated, report);
    if (complete) checkKept(life, taken, repeated, report);
  }
  const latest = lives.length > 0 ? lives.flatMap(generationsOf) : dump.instances;
  for (const instance of latest) checkOnce(instance, taken, asTold(raised.get(instance.record.id) ?? []), report);
}

/** The latest standing of each generation of a life. */
export function generationsOf(life: Life): DumpedInstance[] {
  const latest = new Map<string, DumpedInstance>();
  for (const { standing } of life.moments) if (standing !== undefined) latest.set(standing.instance.record.executionId, standing.instance);
  return [...latest.values()];
}

function checkLost(
  id: string,
  asked: readonly Call[],
  lives: readonly Life[],
  there: DumpedInstance | undefined,
  dump: Dump,
  complete: boolean,
  removed: boolean,
  report: Report,
): void {
  const seen = new Set<string>();
  const note = (instance: DumpedInstance): void => {
    for (const event of instance.history) if (event.kind === "EventRaised" && event.input !== undefined) seen.add(event.input);
  };
  let droppable = 0;
  for (const life of lives) {
    for (const { standing } of life.moments) {
      if (standing === undefined) continue;
      for (const { event } of standing.messages) if (event.kind === "EventRaised" && event.input !== undefined) seen.add(event.input);
    }
    for (const instance of generationsOf(life)) note(instance);
  }
  if (there !== undefined) {
    note(there);
    droppable = there.record.dropped;
    for (const { number, event } of dump.messages)
      if (number === there.record.number && event.kind === "EventRaised" && event.input !== undefined) seen.add(event.input);
  }
  // Without every state, what an earlier generation took is not seen.
  const blind = !complete && (there === undefined || there.record.generation > 1 || isEnd(there.record.status));
  for (const call of asked) {
    const { input } = call.request;
    if (input === undefined) continue;
    const others = asked.filter((each) => each.request.input === input);
    if (seen.has(input) && !others.some(mayHaveHappened)) report("I4", id, "An event was refused, and is there.", { input });
    if (call.outcome !== "ok" || seen.has(input) || removed || blind) continue;
    if (complete ? endedBy(lives, call.to) : droppable > 0) continue;
    report("I5", id, "An event was accepted, and has left no trace.", { input, call: call.call });
  }
}

/** Whether the latest life had ended (or gone) by then, so that an event is accepted and dropped. */
function endedBy(lives: readonly Life[], place: number): boolean {
  return lives.some((life) =>
    life.moments.some(
      (moment) => moment.place <= place && (moment.standing === undefined || isEnd(moment.standing.instance.record.status)),
    ),
  );
}

/** Payloads that were raised more than once: what becomes of each of them cannot be told apart. */
export function askedAgain(calls: readonly Call[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const again = new Set<string>();
  for (const { op, request } of calls) {
    if (op !== "raise" || request.input === undefined) continue;
    if (seen.has(request.input)) again.add(request.input);
    seen.add(request.input);
  }
  return again;
}

/** What lay in an inbox was delivered or taken, lies there still, or was dropped and counted. */
function checkKept(life: Life, taken: Taken, repeated: ReadonlySet<string>, report: Report): void {
  const last = life.moments.findLast((moment) => moment.standing !== undefined)?.standing;
  if (last === undefined) return;
  const missing = new Set<string>();
  for (const { standing } of life.moments)
    for (const { event } of standing?.messages ?? [])
      if (event.kind === "EventRaised" && event.input !== undefined && !repeated.has(event.input)) missing.add(event.input);
  for (const { history } of generationsOf(life))
    for (const event of history) {
      if (event.kind === "EventRaised") missing.delete(event.input ?? "");
      if (event.kind === "ExecutionStarted") for (const carried of event.carriedEvents ?? []) missing.delete(carried.input ?? "");
    }
  // One that is taken in the very turn that continues as new stands in no history: the program alone tells of it.
  for (const instance of generationsOf(life)) for (const input of taken.inTheEnd(instance) ?? []) missing.delete(input);
  for (const { event } of last.messages) if (event.kind === "EventRaised") missing.delete(event.input ?? "");
  if (missing.size > last.instance.record.dropped)
    report(
      "I5",
      life.id,
      `${missing.size} events were in its inbox and came to nothing; ${last.instance.record.dropped} are counted as dropped.`,
      {
        events: [...missing],
      },
    );
}

/** What a generation had received and not taken goes on into the next one, in its order. */
function checkCarried(life: Life, taken: Taken, repeated: ReadonlySet<string>, report: Report): void {
  const generations = generationsOf(life);
  for (let at = 0; at + 1 < generations.length; at++) {
    const from = generations[at]!;
    const to = generations[at + 1]!;
    if (to.record.generation !== from.record.generation + 1 || to.record.parent !== undefined) continue;
    // What the program had taken when it continued stands in the next one's input.
    const took = taken.atStart(to);
    const start = to.history.find((event) => event.kind === "ExecutionStarted");
    if (took === undefined || start === undefined || isEnd(from.record.status)) continue;
    const carried = new Set((start.carriedEvents ?? []).map((event) => event.input));
    for (const event of from.history) {
      if (event.kind !== "EventRaised" || event.input === undefined || took.includes(event.input) || carried.has(event.input)) continue;
      if (to.record.dropped === 0)
        report("I5", life.id, "An event that nobody had taken was lost when the instance continued as new.", { input: event.input });
    }
    for (const input of carried)
      if (input !== undefined && took.includes(input) && !repeated.has(input))
        report("I5", life.id, "An event that had been taken was carried along.", { input });
  }
}

/**
 * Events that were accepted at the first asking. One that was asked for again after it had been read is another one to the product: its ids
 * are known as long as they lie in the inbox.
 */
function asTold(asked: readonly Call[]): readonly Call[] {
  return asked.filter(
    (call) =>
      call.outcome === "ok" &&
      call.request.input !== undefined &&
      asked.every((each) => each === call || each.request.input !== call.request.input),
  );
}

function checkOnce(instance: DumpedInstance, taken: Taken, asked: readonly Call[], report: Report): void {
  const { record, history } = instance;
  const inputs = history.flatMap((event) => (event.kind === "EventRaised" && event.input !== undefined ? [event.input] : []));
  const unique = new Set(asked.map((call) => call.request.input));
  const repeated = inputs.find((input, at) => unique.has(input) && inputs.indexOf(input) !== at);
  if (repeated !== undefined) report("I5", record.id, "An event was delivered twice.", { input: repeated });
  const took = taken.inTheEnd(instance);
  const double = took?.find((input, at) => unique.has(input) && took.indexOf(input) !== at);
  if (double !== undefined) report("I5", record.id, "An event was taken twice.", { input: double });
  for (const list of took === undefined ? [inputs] : [inputs, took]) {
    let last: { readonly call: Call; readonly input: string } | undefined;
    for (const input of list) {
      const call = asked.find((each) => each.request.input === input);
      if (call === undefined) continue;
      // One sender, one name: answered before the next was asked.
      if (last !== undefined && call.by === last.call.by && call.request.event === last.call.request.event && call.to < last.call.from)
        report("I5", record.id, "Events of one sender came in another order.", { first: input, second: last.input });
      last = { call, input };
    }
  }
}
