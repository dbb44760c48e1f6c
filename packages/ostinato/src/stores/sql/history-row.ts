// history-row: a stored turn as its events.

import { StoreFormatError } from "../../contract/errors.ts";
import type { HistoryEvent } from "../../contract/events.ts";
import type { InstanceId } from "../../contract/ids.ts";
import { decodeEvents } from "./history-codec.ts";

/**
 * The events of a row of history.
 *
 * @throws StoreFormatError naming the instance and the turn when the row cannot be read.
 */
export function decodeRow(id: InstanceId, row: { readonly turn: number; readonly format: number; readonly body: string }): HistoryEvent[] {
  try {
    return decodeEvents(row.body, row.format);
  } catch (error) {
    throw new StoreFormatError(`The history of instance ${id} cannot be read at turn ${row.turn}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
