// hub-histories: the histories of a task hub's instances, read one after the other.
//
// Owns:    how a record and a history that belong together are found while a worker goes on writing.
// Is told: a Backend, never which; what to look for.
// Always:  H1 reading only: nothing is claimed, nothing changes.
//          H2 the facts and the events of one document are of the same execution, and agree on whether it has ended.
//          H3 no more is held than one page of records and one history.

import type { PayloadConverter } from "../authoring/payload.ts";
import { filterOf, type InstanceQuery } from "../client/client.ts";
import type { ClientOperations } from "../contract/backend.ts";
import { InvalidStateError } from "../contract/errors.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { isTerminal, type InstanceRecord, type InstanceStatus, type TerminalStatus } from "../contract/instance.ts";
import type { InstanceFilter } from "../contract/queries.ts";
import { given } from "../contract/recorded-as.ts";
import type { TurnLimits } from "../executor/execution.ts";
import { factsOf, HISTORY_FORMAT, type HistoryDocument } from "./document.ts";

/** The statuses of instances that have ended. */
export const FINISHED: readonly TerminalStatus[] = ["COMPLETED", "FAILED", "TERMINATED"];
/** The statuses of instances that have not. */
export const OPEN: readonly InstanceStatus[] = ["PENDING", "RUNNING", "SUSPENDED"];

/** How a task hub writes payloads and what it allows: a replay has to go by the same. */
export interface ReplayRules {
  readonly converter: PayloadConverter;
  readonly limits: TurnLimits;
  /** The version of instances that are started without one. */
  readonly defaultVersion?: string | undefined;
}

/**
 * Histories to be read one by one, with the rules of the task hub that they are of.
 *
 * @example
 * for await (const { instance, events } of hub.histories({ name: "purchaseOrder" })) console.log(instance.id, events.length);
 */
export interface Histories extends AsyncIterable<HistoryDocument> {
  readonly rules: ReplayRules;
}

/** What histories are read from: every open task hub. */
export interface HistorySource {
  /**
   * The histories of instances: finished ones, unless `query.status` says otherwise.
   *
   * @example
   * const report = await replay(hub.histories({ completedFrom: yesterday }), { orchestrators });
   */
  histories(query?: InstanceQuery): Histories;
}

/** What reading works with. */
export interface HistoryWorld extends ReplayRules {
  /** The line to the task hub. Throws HubClosedError once it is closed. */
  readonly backend: () => Pick<ClientOperations, "query" | "get" | "history">;
}

/** A page of histories, each still to be read; with the cursor from which the next page starts. */
export interface HistoryPage {
  readonly histories: AsyncIterable<HistoryDocument>;
  readonly next: string | undefined;
}

/** How often a history that changes while it is read is begun anew. */
const READINGS = 10;

/** The histories that a query finds. */
export function historiesOf(world: HistoryWorld, query: InstanceQuery = {}): Histories {
  const { converter, limits, defaultVersion } = world;
  return {
    rules: { converter, limits, defaultVersion },
    async *[Symbol.asyncIterator]() {
      for await (const page of historyPages(world, query)) yield* page.histories;
    },
  };
}

/** The same, page by page. A page has to be read before the next one is asked for. */
export async function* historyPages(
  world: HistoryWorld,
  query: InstanceQuery,
  request: { readonly size?: number; readonly cursor?: string } = {},
): AsyncGenerator<HistoryPage> {
  const filter = filterOf({ ...query, status: query.status ?? FINISHED });
  let cursor = request.cursor;
  do {
    const page = await world.backend().query(filter, given({ size: request.size, cursor }));
    cursor = page.next;
    const records = page.items.map((item) => item.record);
    yield { histories: documentsOf(world, records, filter), next: cursor };
  } while (cursor !== undefined);
}

async function* documentsOf(
  world: HistoryWorld,
  records: readonly InstanceRecord[],
  filter: InstanceFilter,
): AsyncGenerator<HistoryDocument> {
  for (const record of records) {
    const document = await documentOf(world, record, filter);
    if (document !== undefined) yield document;
  }
}

/** The document of an instance; `undefined` when it has been removed meanwhile, or has left the statuses that are asked for. */
async function documentOf(world: HistoryWorld, found: InstanceRecord, filter: InstanceFilter): Promise<HistoryDocument | undefined> {
  let record = found;
  for (let reading = 1; reading <= READINGS; reading++) {
    const events = await eventsOf(world, record.id);
    if (events !== undefined && belongTogether(record, events))
      return { format: HISTORY_FORMAT, instance: factsOf(record), payloads: "kept", events };
    const now = await world.backend().get(record.id);
    if (now === undefined || filter.status?.includes(now.record.status) === false) return undefined;
    record = now.record;
  }
  throw new InvalidStateError(
    `The history of instance '${found.id}' changed each of the ${READINGS} times it was read. Try again when it is less busy.`,
  );
}

/** The whole history; `undefined` when it was replaced while it was being read. */
async function eventsOf(world: HistoryWorld, id: string): Promise<readonly HistoryEvent[] | undefined> {
  const events: HistoryEvent[] = [];
  try {
    for await (const page of world.backend().history(id)) for (const event of page) events.push(event);
  } catch (error) {
    if (error instanceof InvalidStateError) return undefined;
    throw error;
  }
  return events;
}

function belongTogether(record: InstanceRecord, events: readonly HistoryEvent[]): boolean {
  const ended = isTerminal(record.status);
  if (ended ? events.length !== record.historyLength : events.length < record.historyLength) return false;
  if (events.length === 0) return true;
  if ((events.at(-1)?.kind === "ExecutionCompleted") !== ended) return false;
  const start = events.find((event) => event.kind === "ExecutionStarted");
  // A rewound execution has a new id, and keeps its history with the start as it was.
  const rewound = events.some((event) => event.kind === "ExecutionRewound");
  return start === undefined || rewound || start.executionId === record.executionId;
}
