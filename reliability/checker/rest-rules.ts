// rest-rules: what must be true when nothing is under way any more (L3, R3), and whether what came out is what was to come out.
import { isEnd } from "./row-rules.ts";
import type { Dump, DumpedInstance, Standing } from "./stored.ts";
import { same, type Report } from "./violation.ts";

/** What must become of an instance, told by whoever knows its program and computes without the product. */
export interface Expectation {
  readonly instanceId: string;
  /** The execution id of its start, where ids are used again. */
  readonly token?: string;
  /** Any of these; by default COMPLETED alone. */
  readonly status?: readonly ("COMPLETED" | "FAILED" | "TERMINATED")[];
  /** The output, parsed; compared when it COMPLETED. */
  readonly output?: unknown;
  /** The output's `log`, place by place: any of the entries of each place. */
  readonly log?: readonly (readonly string[])[];
  /** The message of its failure (or of the innermost one), any of these; compared when it FAILED. */
  readonly failure?: readonly string[];
  /** It need not have ended. */
  readonly mayGoOn?: boolean;
}

/** Reports what still has work to do and is not being worked on. */
export function checkRest(standings: readonly Standing[], at: number, report: Report): void {
  for (const { instance, messages, activities } of standings) {
    const { record } = instance;
    const due = messages.filter((message) => Math.max(message.visibleAt ?? 0, message.arrivedAt) <= at);
    if (isEnd(record.status)) {
      for (const { id, event } of due) report("R3", record.id, `It is ${record.status}, and ${event.kind} lies in its inbox.`, { id });
      continue;
    }
    if (record.stall !== undefined || (record.notBefore ?? 0) > at) continue;
    const waits = record.status === "SUSPENDED" ? due.filter((message) => message.wakes === "always") : due;
    if (waits.length > 0)
      report("L3", record.id, `It is ${record.status}, has ${waits.length} messages to read, and nobody reads them.`, {
        first: waits[0]?.id,
      });
    for (const { taskId, visibleAt, owned } of activities)
      if (visibleAt <= at && !owned) report("L3", record.id, `Its activity ${taskId} is to be run, and nobody runs it.`);
  }
}

/** R3: when everything was purged, nothing is left. */
export function checkNothing(dump: Dump, report: Report): void {
  const { instances, messages, activities, others } = dump;
  const counts = { instances: instances.length, messages: messages.length, activities: activities.length, ...others };
  for (const [what, count] of Object.entries(counts))
    if (count > 0) report("R3", undefined, `Everything was purged, and ${count} ${what} are left.`);
}

/** Whether an instance came to what it was to come to. */
export function checkExpectation(expected: Expectation, instance: DumpedInstance | undefined, report: Report): void {
  if (instance === undefined) return;
  const { record, payloads } = instance;
  if (!isEnd(record.status)) {
    if (expected.mayGoOn !== true)
      report("L3", record.id, `It is ${record.status} and was to have ended.`, {
        stall: record.stall?.reason,
        waits: record.awaitedEvents,
      });
    return;
  }
  const allowed: readonly string[] = expected.status ?? ["COMPLETED"];
  if (!allowed.includes(record.status)) {
    report("H6", record.id, `It is ${record.status}, and was to be ${allowed.join(" or ")}.`, { failure: payloads.failure?.message });
    return;
  }
  if (record.status === "COMPLETED") checkOutput(expected, instance, report);
  if (record.status !== "FAILED" || expected.failure === undefined) return;
  let { failure } = payloads;
  const messages: string[] = [];
  for (; failure !== undefined; failure = failure.inner) messages.push(failure.message);
  if (!messages.some((message) => expected.failure?.includes(message)))
    report("H6", record.id, "It failed with something else than it was to fail with.", { messages, expected: expected.failure });
}

function checkOutput({ output, log }: Expectation, { record, payloads }: DumpedInstance, report: Report): void {
  const got: unknown = payloads.output === undefined ? undefined : JSON.parse(payloads.output);
  if (output !== undefined && !same(got, output))
    report("H6", record.id, "Its output is not the one that its program makes.", { got, expected: output });
  if (log === undefined) return;
  const entries = (got as { readonly log?: readonly string[] } | undefined)?.log ?? [];
  if (entries.length !== log.length) return report("H6", record.id, `It has done ${entries.length} steps of ${log.length}.`, { entries });
  entries.forEach((entry, at) => {
    if (!log[at]?.includes(entry))
      report("H6", record.id, `Step ${at} came to '${entry}', and was to come to '${log[at]?.join("' or '")}'.`);
  });
}
