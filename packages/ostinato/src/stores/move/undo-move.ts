// undo-move: a move is taken back, as long as nothing was done at the other side.
//
// Always:  V4 never two live copies: the target is closed, and compared with the source, before the source is opened.
//          What was done at the target is never thrown away: then the way back is another move.

import { InvalidStateError } from "../../contract/errors.ts";
import { compareRows, PAGE } from "./copy-rows.ts";
import type { HubMark, HubRows, MoveNote } from "./hub-rows.ts";
import { bringToRest, emptyHub, movingText, placeOf } from "./move-hub.ts";
import type { MoveHubOptions } from "./move-hub.ts";

const OPEN: HubMark = { closed: undefined, note: undefined };

type UndoOptions = Pick<MoveHubOptions, "onProgress" | "wait" | "stopWorkers" | "on" | "testing">;

/** Empties the target and opens the source again. */
export async function undoMove(from: HubRows, to: HubRows, options: UndoOptions): Promise<void> {
  const source = await from.mark();
  const note = sourceOf(from, source);
  const target = await to.mark();
  if (target?.note?.role === "target" && target.note.id === note.id) await takeBack(from, to, note, target, options);
  else if (note.state === "moved" || note.other !== to.shown)
    throw new InvalidStateError(
      `${to.shown} is not where ${from.shown} was moved to: that is ${note.other}. Name that one; if it is lost for good, open the source without it (unfence).`,
    );
  await from.setMark(OPEN);
}

/** Opens a hub again that was closed for a move, whatever became of the other copy. */
export async function unfenceHub(hub: HubRows): Promise<void> {
  sourceOf(hub, await hub.mark());
  await hub.setMark(OPEN);
}

function sourceOf(from: HubRows, mark: HubMark | undefined): MoveNote {
  if (mark?.note?.state === "emptying") throw new InvalidStateError(`${from.shown} is being emptied, and is not whole any more.`);
  if (mark?.closed === undefined || mark.note?.role !== "source")
    throw new InvalidStateError(`${from.shown} is no task hub that was moved, or is being moved: there is nothing to undo.`);
  return mark.note;
}

async function takeBack(from: HubRows, to: HubRows, source: MoveNote, target: HubMark, options: UndoOptions): Promise<void> {
  const { note } = target;
  if (note === undefined) return;
  if (note.state === "moved" || note.state === "returning") await refuseChanged(from, to, note, options);
  if (source.state === "moved") {
    // From here on there is no whole copy but the source: what is cut off now goes on from there.
    await from.setMark({ closed: movingText(from, to, options.on), note: { ...source, state: "moving" } });
    options.testing?.after?.("source counts again");
  }
  await emptyHub(to, target, options);
  options.testing?.after?.("target gone");
}

async function refuseChanged(from: HubRows, to: HubRows, note: MoveNote, options: UndoOptions): Promise<void> {
  const live = options.stopWorkers ? [] : await to.liveOwners();
  if (live.length > 0)
    throw new InvalidStateError(`${to.shown} is open in ${live.map(({ label }) => `'${label}'`).join(", ")}. Stop what has it open first.`);
  const closed = `The task hub ${to.shown} is being given back to ${from.shown}. Undo the move once more to go on with it.`;
  await to.setMark({ closed, note: { ...note, state: "returning" } });
  options.testing?.after?.("target closed");
  await bringToRest(to, options);
  const found = await compareRows(from, to, placeOf(note).shift, options.testing?.limits ?? PAGE, async () => options.wait(0));
  if (!("difference" in found)) return;
  await to.setMark({ closed: undefined, note: { ...note, state: "moved" } });
  throw new InvalidStateError(
    `In ${to.shown} something was done since the move (${found.difference}), so it cannot be undone. It is open as before; move it from there to another place.`,
  );
}
