// verdict: what is wrong with a file after its process has ended, by reading the file and the journal and nothing else.
//
// Owns:    which evidence the independent checker is handed; what is asked of the tables beside it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import { check } from "../checker/check.ts";
import { dumpOfFile } from "../checker/from-sqlite.ts";
import type { Entry } from "../checker/journal.ts";
import type { Dump } from "../checker/stored.ts";
import { violationText } from "../checker/violation.ts";
import { copyDatabase, damageOf, leftoversOf } from "./leftovers.ts";
import type { Plan } from "./shapes.ts";

/** What a file is read for. */
export interface Findings {
  readonly file: string;
  readonly journal: readonly Entry[];
  /** What time it is for the file; the machine's when absent. */
  readonly at?: number;
  /** Everything has ended: what was planned must be there, and nothing else; or whatever is there must be at rest. */
  readonly atRest?: readonly Plan[] | "whatever stands there";
}

const POLICIES = { square: { maxAttempts: 1 }, busy: { maxAttempts: 5 }, broken: { maxAttempts: 1 }, third: { maxAttempts: 4 } };

/** Everything that is wrong with a file whose process has ended. */
export function verdictOn({ file, journal, at = Date.now(), atRest }: Findings): string[] {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-verdict-"));
  const copy = join(folder, "hub.db");
  try {
    copyDatabase(file, copy);
    const db = new DatabaseSync(copy);
    const wrong = damageOf(db);
    if (atRest !== undefined) wrong.push(...leftoversOf(db));
    db.close(); // and with that its log is carried over: the file alone is all of it now
    const dump = dumpOfFile(copy, at);
    wrong.push(...check({ dump, journal, policies: POLICIES, atRest: atRest !== undefined }).map(violationText));
    if (typeof atRest === "object") wrong.push(...endsOf(dump, atRest));
    return wrong;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What became of what was planned. */
function endsOf(dump: Dump, plans: readonly Plan[]): string[] {
  const wrong: string[] = [];
  const expected = new Map(plans.map((plan) => [plan.id, plan.expected]));
  for (const { record, payloads } of dump.instances) {
    const expectation = expected.get(record.id);
    expected.delete(record.id);
    if (expectation === undefined) {
      if (record.parent === undefined) wrong.push(`I1 ${record.id}: nobody started it`);
      continue;
    }
    if (expectation === "gone") {
      wrong.push(`C5 ${record.id}: it was purged, and is there`);
      continue;
    }
    const output: unknown = payloads.output === undefined ? undefined : JSON.parse(payloads.output);
    if (record.status === expectation.status && isDeepStrictEqual(output, expectation.output)) continue;
    const should = `${expectation.status} with ${JSON.stringify(expectation.output)}`;
    wrong.push(
      `H6 ${record.id}: it is ${record.status} with ${payloads.output}, and should be ${should}; ${payloads.failure?.message ?? ""}`,
    );
  }
  for (const [id, expectation] of expected) if (expectation !== "gone") wrong.push(`I1 ${id}: it was started, and is not there`);
  return wrong;
}
