// move: a task hub goes to another file or database, or comes back.
import { moveTaskHub, undoMoveOfTaskHub } from "ostinato/postgres";
import type { MoveProgress, MovedTaskHub } from "ostinato/postgres";
import { usageError } from "../exit-codes.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";

export interface MoveCommandOptions {
  readonly stopWorkers?: boolean;
  readonly restart?: boolean;
  readonly undo?: boolean;
  readonly unfence?: boolean;
}

/** How often a step that takes long says how far it is. */
const EVERY_MS = 2_000;

const STEPS: Readonly<Record<MoveProgress["step"], string>> = {
  closing: "closing it, and waiting until nobody holds anything of it",
  emptying: "emptying what is in the way",
  copying: "copying",
  checking: "reading the copy, and comparing",
  opening: "opening it at the other side",
};

/** Moves the hub, or takes a move back. */
export async function move(session: Session, from: string, to: string | undefined, options: MoveCommandOptions): Promise<void> {
  const { stopWorkers = false, restart = false, undo = false, unfence = false } = options;
  const progress = { stopWorkers, restart, onProgress: progressTo(session) };
  if (unfence) {
    if (to !== undefined || undo) throw usageError("--unfence is about one task hub alone: ostinato move --unfence <url>.");
    await undoMoveOfTaskHub(from, undefined);
    return told(session, { opened: from }, "It is open again. See that nobody works on the copy, if there is one.");
  }
  if (to === undefined) throw usageError("Say where the task hub goes: ostinato move <from> <to>.");
  if (undo) {
    await undoMoveOfTaskHub(from, to, progress);
    return told(session, { opened: from }, "The move was undone: the task hub is open where it was before.");
  }
  const moved = await moveTaskHub(from, to, progress);
  await told(session, moved, ...linesOf(moved));
}

async function told(session: Session, value: object, ...lines: readonly string[]): Promise<void> {
  await (session.json ? session.tell(value) : session.say(...lines));
}

function linesOf({ from, to, moved, tables = {} }: MovedTaskHub): readonly string[] {
  if (!moved) return [`${quoted(from)} had been moved to ${quoted(to)} before; nothing was left to do.`];
  const rows = Object.entries(tables).map(
    ([table, sum]) => `  ${table.padEnd(11)} ${String(sum.rows).padStart(9)}  sha256 ${sum.checksum}`,
  );
  return [
    `Moved ${quoted(from)} to ${quoted(to)}.`,
    ...(rows.length === 0 ? [] : ["Rows that were sent, read back and found equal:", ...rows]),
    "Open it there from now on. Where it was it is closed; what is left there can be deleted.",
  ];
}

/** Says on standard error what is being done; of what takes long, now and then how far it is. */
function progressTo({ note, io }: Session): (progress: MoveProgress) => void {
  let last: MoveProgress["step"] | undefined;
  let toldAt = 0;
  return ({ step, rows, ofRows }) => {
    const now = io.now();
    if (step === last && now - toldAt < EVERY_MS) return;
    const part = ofRows === 0 ? "" : ` ${rows} of ${ofRows} rows (${Math.min(100, Math.floor((rows / ofRows) * 100))}%)`;
    if (step === last && part === "") return;
    last = step;
    toldAt = now;
    note(`${STEPS[step]}${part}`).catch(() => undefined); // nobody listens: the work goes on
  };
}
