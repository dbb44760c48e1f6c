// phrases: how things of a history are called, the same in every command.
//
// Always:  names and messages from the store pass `plain` here; payloads never come here.
import type { Failure } from "ostinato";
import { plain } from "../print/escape.ts";
import type { Call } from "./calls.ts";

/** A name or an id in quotation marks. */
export function quoted(name: string): string {
  return `'${plain(name)}'`;
}

/** A program with its version, if it has one. */
export function programOf(name: string, version: string | undefined): string {
  return version === undefined ? plain(name) : `${plain(name)} ${plain(version)}`;
}

/** A failure in one line, with its causes. */
export function failureLine(failure: Failure): string {
  const own = `${plain(failure.errorType)}: ${plain(failure.message)}`;
  return failure.inner === undefined ? own : `${own} (caused by ${failureLine(failure.inner)})`;
}

/** What was called, with the number that it has in the history. */
export function callName(call: Call): string {
  switch (call.kind) {
    case "activity":
      return `activity ${quoted(call.name)} (#${call.id})`;
    case "child":
      return `sub-orchestration ${quoted(call.name)} (#${call.id})`;
    case "entity":
      return `operation ${quoted(call.name)} of entity ${entitiesOf(call)} (#${call.id})`;
    case "lock":
      return `lock of ${entitiesOf(call)} (#${call.id})`;
    case "timer":
      return `timer #${call.id}`;
  }
}

function entitiesOf({ entities = [] }: Call): string {
  return entities.map(quoted).join(", ");
}

/** Which attempt it is, when it is not the first. */
export function attemptOf(call: Call): string {
  return call.attempt > 1 ? `, attempt ${call.attempt} of call #${call.firstId}` : "";
}
