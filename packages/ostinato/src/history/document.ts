// document: one execution of one instance with its whole history, as a value that can be kept, sent and replayed.
//
// Owns:    the format of a document, and its two written forms: JSON, and lines of JSON (the head first, then one event a line).
// Always:  D1 a document says its format; one that is newer than this code is refused with that reason, never guessed at.
//          D2 payloads stand in the events alone, as text, exactly as they were recorded; where they were left out the document says so.
//          D3 a written document says how many events it has, so a torn one is noticed.

import { HistoryFormatError } from "../contract/errors.ts";
import { EVENT_PAYLOADS, type HistoryEvent } from "../contract/events.ts";
import type { InstanceRecord, InstanceStatus, ParentLink, Tags } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import { given } from "../contract/recorded-as.ts";

/** The format of documents that this code writes, and the newest one that it reads. */
export const HISTORY_FORMAT = 1;

/** What is known of an instance beside its history, without payloads. */
export interface InstanceFacts {
  readonly id: string;
  readonly name: string;
  readonly version?: string;
  readonly executionId: string;
  readonly status: InstanceStatus;
  readonly createdAt: Instant;
  readonly scheduledAt?: Instant;
  readonly startedAt?: Instant;
  readonly updatedAt: Instant;
  readonly completedAt?: Instant;
  readonly tags?: Tags;
  readonly parent?: ParentLink;
}

/**
 * One instance with the history of its current (or last) execution.
 *
 * @example
 * for await (const { instance, events } of readHistories("./histories")) console.log(instance.id, events.length);
 */
export interface HistoryDocument {
  /** The version of this format: 1. */
  readonly format: number;
  readonly instance: InstanceFacts;
  /** Whether the payloads of the events are there, or were left out when the document was written. */
  readonly payloads: "kept" | "omitted";
  readonly events: readonly HistoryEvent[];
}

/** How a document is written: JSON for people, or compressed lines of JSON. */
export type HistoryFileFormat = "json" | "jsonl";

/** The facts of a record. */
export function factsOf(record: InstanceRecord): InstanceFacts {
  const { id, name, version, executionId, status, createdAt, scheduledAt, startedAt, updatedAt, completedAt, tags, parent } = record;
  return { id, name, executionId, status, createdAt, updatedAt, ...given({ version, scheduledAt, startedAt, completedAt, tags, parent }) };
}

// ---- leaving payloads out

/** The document without its payloads: each is replaced by how long it was. Names, ids, times and failures' types stay. */
export function withoutPayloads(document: HistoryDocument): HistoryDocument {
  return { ...document, payloads: "omitted", events: document.events.map(omitIn) };
}

function omitIn<E extends HistoryEvent>(event: E): E {
  const changed: Record<string, unknown> = { ...event };
  for (const field of EVENT_PAYLOADS[event.kind]) {
    const text = changed[field];
    if (typeof text === "string") changed[field] = `(omitted: ${text.length} characters)`;
  }
  if (event.kind === "ExecutionStarted" && event.carriedEvents !== undefined) changed["carriedEvents"] = event.carriedEvents.map(omitIn);
  return changed as unknown as E;
}

// ---- written and read

/** The document as text. */
export function writeDocument(document: HistoryDocument, format: HistoryFileFormat): string {
  const { events, ...head } = document;
  if (format === "json") return `${JSON.stringify({ ...head, eventCount: events.length, events }, undefined, 2)}\n`;
  const lines = [JSON.stringify({ ...head, eventCount: events.length })];
  for (const event of events) lines.push(JSON.stringify(event));
  return `${lines.join("\n")}\n`;
}

/**
 * Reads a document.
 *
 * @param file names the text in messages.
 * @throws HistoryFormatError for what is no document, is damaged, or was written in a newer format.
 */
export function readDocument(text: string, format: HistoryFileFormat, file: string): HistoryDocument {
  const damaged = (what: string): HistoryFormatError => damagedFile(file, what);
  const parse = (part: string, what: string): unknown => {
    try {
      return JSON.parse(part);
    } catch {
      throw damaged(`${what} is no JSON`);
    }
  };
  const lines = format === "json" ? [] : text.trimEnd().split("\n");
  const head = format === "json" ? parse(text, "it") : parse(lines[0] ?? "", "its first line");
  if (!isObject(head) || typeof head["format"] !== "number") throw damaged("it is no history that was exported, for it says no format");
  if (head["format"] > HISTORY_FORMAT) {
    throw new HistoryFormatError(
      `The history file '${file}' was written by a newer version: its format is ${head["format"]}, and this version reads formats up to ${HISTORY_FORMAT}. Update ostinato here, or export it with this version.`,
      { file },
    );
  }
  const events = format === "json" ? head["events"] : lines.slice(1).map((line, index) => parse(line, `line ${index + 2}`));
  const { instance, payloads, eventCount } = head;
  if (!isInstance(instance)) throw damaged("it does not say which instance it is of");
  if (payloads !== "kept" && payloads !== "omitted") throw damaged("it does not say whether its payloads were kept");
  if (!Array.isArray(events)) throw damaged("it has no events");
  if (events.length !== eventCount) throw damaged(`it has ${events.length} events of ${String(eventCount)}; the rest is missing`);
  events.forEach((event: unknown, index) => {
    if (!isEvent(event)) throw damaged(`its event number ${index + 1} is none that this version knows`);
  });
  return { format: head["format"], instance, payloads, events: events as readonly HistoryEvent[] };
}

/** The error for a file that is no history, or no longer one. */
export function damagedFile(file: string, what: string, cause?: unknown): HistoryFormatError {
  return new HistoryFormatError(`The history file '${file}' cannot be read: ${what}. Export it again, or leave it out.`, {
    file,
    ...given({ cause }),
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isInstance(value: unknown): value is InstanceFacts {
  return isObject(value) && ["id", "name", "executionId", "status"].every((field) => typeof value[field] === "string");
}

function isEvent(value: unknown): value is HistoryEvent {
  if (!isObject(value) || typeof value["eventId"] !== "number" || typeof value["timestamp"] !== "number") return false;
  return typeof value["kind"] === "string" && Object.hasOwn(EVENT_PAYLOADS, value["kind"]);
}
