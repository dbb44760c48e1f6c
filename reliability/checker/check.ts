// check: the independent checker. It is told what the store holds, what witnesses saw and what was to come out, and says what is broken.
//
// Owns:    the order of the rules; which of them can be asked of what was told.
// Always:  K1 it shares no rule with the product: of ours it knows the words (contract) and nothing else.
//          K2 what was not told proves nothing: a rule without its evidence says nothing.
import { checkBodies, type ActivityPolicy } from "./body-rules.ts";
import { checkCalls } from "./call-rules.ts";
import { checkEntities, type Lists } from "./entity-rules.ts";
import { askedAgain, checkEvents, generationsOf, type Taken } from "./event-rules.ts";
import { readHistory } from "./history-rules.ts";
import { callsOf, mayHaveHappened, type Entry } from "./journal.ts";
import { checkExpectation, checkNothing, checkRest, type Expectation } from "./rest-rules.ts";
import { checkChildren, checkOrphans, checkRows } from "./row-rules.ts";
import { checkArrivals, checkLife, checkWrites, livesOf, type Life } from "./sight-rules.ts";
import { standings, type Dump } from "./stored.ts";
import { collect, type Violation } from "./violation.ts";

/** What the checker is told. */
export interface Evidence {
  /** What the store holds in the end. */
  readonly dump: Dump;
  /** In the order of time. */
  readonly journal?: readonly Entry[];
  readonly expectations?: readonly Expectation[];
  /** How often activities may be tried, by name. */
  readonly policies?: Readonly<Record<string, ActivityPolicy>>;
  /** The payloads that a program says it has taken from external events, read out of its state or its output. */
  readonly taken?: Taken;
  /** The entities whose state is a list of what was done to them. */
  readonly lists?: Lists;
  /** The journal shows every state that was ever committed. */
  readonly complete?: boolean;
  /** Faults have stopped, and the time that recovery may take has passed. */
  readonly atRest?: boolean;
  /** What the store holds after everything was purged. */
  readonly emptied?: Dump;
}

/**
 * All that is broken.
 *
 * @example
 * const violations = check({ dump: dumpOfFile("orders.db"), journal, expectations, atRest: true });
 */
export function check(evidence: Evidence): Violation[] {
  const { dump, journal = [], expectations = [], policies = {}, complete = false, atRest = false } = evidence;
  const taken = evidence.taken ?? UNTOLD;
  const { report, found } = collect();
  const calls = callsOf(journal);
  const lives = livesOf(journal);
  const repeated = askedAgain(calls);

  // ---- as it stands in the end
  const standing = standings(dump).map((each) => ({ standing: each, reading: readHistory(each.instance, report) }));
  for (const each of standing) checkRows(each.standing, each.reading, report);
  const purgeable = new Set(
    calls.filter((call) => ["purge", "restart", "start"].includes(call.op) && mayHaveHappened(call)).map((call) => call.instanceId),
  );
  const recursive = calls.some((call) => call.op === "purge" && call.request.recursive === true && mayHaveHappened(call));
  checkChildren(dump, standing, (id) => recursive || purgeable.has(id), report);
  checkOrphans(dump, report);

  // ---- as it stood at every moment that was seen
  for (const life of lives) {
    checkLife(life, report);
    checkArrivals(life, repeated, report);
    for (const { standing: moment } of life.moments)
      if (moment !== undefined) checkRows(moment, readHistory(moment.instance, report), report);
  }
  checkWrites(journal, report);
  const { lists } = evidence;
  checkEntities({ journal, calls, lives, dump, atRest, complete, ...(lists === undefined ? {} : { lists }) }, report);

  // ---- what clients were told, and what bodies did
  checkCalls({ calls, lives, dump, complete, atRest }, report);
  checkEvents(calls, lives, dump, taken, complete, report);
  const histories = complete ? lives.flatMap(generationsOf) : dump.instances;
  const twice = begunTwice(lives);
  const once = journal.filter((entry) => !("executionId" in entry) || !twice.has(entry.executionId ?? ""));
  checkBodies(
    once,
    calls,
    histories.filter(({ record }) => !twice.has(record.executionId)),
    policies,
    report,
  );

  // ---- what came of it
  for (const expected of expectations) {
    const life = lives.findLast((each) => each.id === expected.instanceId && isOf(expected, each));
    const last = life?.moments.findLast((moment) => moment.standing !== undefined)?.standing?.instance;
    checkExpectation(
      expected,
      last ?? (lives.length > 0 ? undefined : dump.instances.find(({ record }) => record.id === expected.instanceId)),
      report,
    );
  }
  if (atRest)
    checkRest(
      standing.map((each) => each.standing),
      dump.at,
      report,
    );
  if (evidence.emptied !== undefined) checkNothing(evidence.emptied, report);
  return found();
}

/** Executions that live under two addresses: their start was asked for again after their instance had been purged, and nobody remembered it. */
function begunTwice(lives: readonly Life[]): ReadonlySet<string> {
  const numbers = new Map<string, number>();
  const twice = new Set<string>();
  for (const life of lives)
    for (const { standing } of life.moments) {
      if (standing === undefined) continue;
      const { executionId, number } = standing.instance.record;
      if ((numbers.get(executionId) ?? number) !== number) twice.add(executionId);
      numbers.set(executionId, number);
    }
  return twice;
}

function isOf({ token }: Expectation, life: ReturnType<typeof livesOf>[number]): boolean {
  return token === undefined || life.moments.some(({ standing }) => standing?.instance.record.executionId === token);
}

const UNTOLD: Taken = { atStart: () => undefined, inTheEnd: () => undefined };
