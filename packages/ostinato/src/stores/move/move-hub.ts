// move-hub: a task hub goes from one database to another, whole or not at all.
//
// Owns:    the order of the steps, what each of the two databases notes, and how a move that was cut off goes on.
// Is told: both hubs as rows.
// Always:  V4 never two live copies: the source is closed first and stays so; the target is opened last, when all is there and was compared.
//          V5 cut off anywhere, the same move goes on when it is asked for again: both sides have noted its id.
//          V6 what is given up half way is either gone on with, or emptied; nobody can open it.

import { InvalidArgumentError, InvalidStateError, StoreUnavailableError } from "../../contract/errors.ts";
import { compareRows, copyRows, PAGE } from "./copy-rows.ts";
import type { Place, TableSums } from "./copy-rows.ts";
import type { HubMark, HubRows, LiveOwner, MoveNote, PageLimits } from "./hub-rows.ts";
import { HUB_TABLES, INSTANCES } from "./hub-tables.ts";

/**
 * What a move is doing.
 *
 * @example
 * const isLong = (step: MoveStep) => step === "copying" || step === "checking";
 */
export type MoveStep = "closing" | "emptying" | "copying" | "checking" | "opening";

/**
 * How far a move is.
 *
 * @example
 * const percent = ({ rows, ofRows }: MoveProgress) => (ofRows === 0 ? 0 : Math.floor((100 * rows) / ofRows));
 */
export interface MoveProgress {
  readonly step: MoveStep;
  /** Rows that this step is done with, and how many it has; 0 of 0 where rows do not count. */
  readonly rows: number;
  readonly ofRows: number;
}

/** How a hub is moved. */
export interface MoveHubOptions {
  /** The move's id, if it is a new one. */
  readonly id: string;
  /** Today, for what people are told. */
  readonly on: string;
  /** Others may work on the source: they are sent away, and waited for. */
  readonly stopWorkers: boolean;
  /** What the target has is emptied first: half of another copy, or what was moved away from there. */
  readonly restart: boolean;
  readonly onProgress: (progress: MoveProgress) => void;
  /** Waits, where others have to come to an end. */
  readonly wait: (ms: number) => Promise<void>;
  /** Tests only: smaller pages; told after each thing that lasts, and may throw as if the process had died there. */
  readonly testing?: { readonly limits?: PageLimits; readonly after?: (what: string) => void };
}

/** What became of a move. */
export interface MoveHubReport {
  /** False: it had been moved before, and nothing was left to do. */
  readonly moved: boolean;
  /** What was compared; absent when a move that had been compared was only brought to its end. */
  readonly tables?: TableSums;
}

/** How a message says what to do about a move that was cut off. */
const GO_ON = "Run the same move again to go on with it, or undo it";

/** Moves a hub, or goes on with a move that was cut off. */
export async function moveHub(from: HubRows, to: HubRows, options: MoveHubOptions): Promise<MoveHubReport> {
  if (from.shown === to.shown) throw new InvalidArgumentError(`${from.shown} is both where the hub is and where it should go.`);
  const source = await markOfSource(from);
  const target = await to.mark();
  const note = sourceNote(from, to, source, target);
  if (note?.state === "moved") return openTarget(to, note, target, options);
  const after = options.testing?.after ?? (() => undefined);

  await checkTarget(to, target, note, options);
  const closed = note ?? (await closeSource(from, to, options));
  after("source closed");
  await bringToRest(from, options);
  after("source at rest");
  const place = await targetPlace(from, to, target, closed, options);
  after("target made");
  await copy(from, to, place, options);
  const tables = await check(from, to, place, options);
  after("compared");

  options.onProgress({ step: "opening", rows: 0, ofRows: 0 });
  await from.setMark({ closed: movedText(from, to, options.on), note: { ...closed, state: "moved" } });
  after("source moved");
  await to.setMark({ closed: undefined, note: arrived(closed, to, await to.mark()) });
  after("target opened");
  return { moved: true, tables };
}

// ---------------------------------------------------------------------------------------------------- where a move stands

/** What is said of a hub that should move: it has to be there. */
export async function markOfSource(from: HubRows): Promise<HubMark> {
  const mark = await from.mark();
  if (mark !== undefined) return mark;
  throw new InvalidStateError(`There is no task hub ${from.shown}. Look at its address, and at the name of the hub there (?hub=name).`);
}

/** The note of the move that the source is in the middle of; `undefined` when it is in none. */
function sourceNote(from: HubRows, to: HubRows, source: HubMark, target: HubMark | undefined): MoveNote | undefined {
  const { closed, note } = source;
  if (closed === undefined) return undefined;
  if (note?.role !== "source") throw new InvalidStateError(`The task hub ${from.shown} cannot be moved: ${closed}`);
  if (note.other === to.shown || (target?.note?.role === "target" && target.note.id === note.id)) return note;
  throw new InvalidStateError(`The task hub ${from.shown} cannot be moved to ${to.shown}: ${closed}`);
}

/** Everything has been compared: what is left is to open the target. */
async function openTarget(
  to: HubRows,
  note: MoveNote,
  target: HubMark | undefined,
  { onProgress }: MoveHubOptions,
): Promise<MoveHubReport> {
  if (target?.note?.id !== note.id)
    throw new InvalidStateError(
      `The task hub was moved to ${note.other}, and is not there any more. If that copy is lost for good, open the source again (unfence).`,
    );
  if (target.closed === undefined) return { moved: false };
  onProgress({ step: "opening", rows: 0, ofRows: 0 });
  await to.setMark({ closed: undefined, note: arrived(note, to, target) });
  return { moved: true };
}

/** Refuses before anything is changed. */
async function checkTarget(to: HubRows, target: HubMark | undefined, note: MoveNote | undefined, options: MoveHubOptions): Promise<void> {
  if (target === undefined || isOf(target, note)) return;
  if (target.closed !== undefined && target.note !== undefined) {
    if (options.restart) return;
    const what =
      target.note.role === "source"
        ? `the copy that was left behind when it was moved to ${target.note.other}`
        : `half of what another move brings from ${target.note.other}`;
    throw new InvalidStateError(`${to.shown} holds ${what}. Say { restart: true } (--restart) to empty it first, or choose another place.`);
  }
  if (target.closed !== undefined) throw new InvalidStateError(`${to.shown} is closed: ${target.closed}`);
  const instances = await to.count(INSTANCES);
  if (instances > 0)
    throw new InvalidStateError(
      `${to.shown} is not empty: it has ${instances} instances. A hub moves to where none is; name another one in the same database with ?hub=name.`,
    );
  const live = await to.liveOwners();
  if (live.length > 0) throw new InvalidStateError(`${to.shown} is empty, but it is open in ${labels(live)}. Stop what has it open first.`);
}

/** Whether a target is a part of this very move. */
function isOf(target: HubMark, note: MoveNote | undefined): boolean {
  return note !== undefined && target.note?.role === "target" && target.note.id === note.id;
}

// ---------------------------------------------------------------------------------------------------- the steps

async function closeSource(from: HubRows, to: HubRows, options: MoveHubOptions): Promise<MoveNote> {
  const before = await from.mark();
  await refuseLive(from, options, undefined);
  options.onProgress({ step: "closing", rows: 0, ofRows: 0 });
  const note: MoveNote = { id: options.id, role: "source", state: "moving", other: to.shown };
  await from.setMark({ closed: movingText(from, to, options.on), note });
  // Somebody may have come in the moment before.
  await refuseLive(from, options, before);
  return note;
}

async function refuseLive(from: HubRows, { stopWorkers }: MoveHubOptions, reopened: HubMark | undefined): Promise<void> {
  if (stopWorkers) return;
  const live = await from.liveOwners();
  if (live.length === 0) return;
  if (reopened !== undefined) await from.setMark(reopened);
  throw new InvalidStateError(
    `The task hub ${from.shown} is open in ${labels(live)}. Stop them first; or say { stopWorkers: true } (--stop-workers), which closes the hub for them and ` +
      "waits until their leases have ended. (One that was killed counts until its lease has ended, a few seconds.)",
  );
}

/** Nobody holds anything of the source any more. */
export async function bringToRest(hub: HubRows, { onProgress, wait }: Pick<MoveHubOptions, "onProgress" | "wait">): Promise<void> {
  onProgress({ step: "closing", rows: 0, ofRows: 0 });
  const live = await hub.liveOwners();
  await hub.dismissOwners();
  // They hear that it is over when they renew, and stop what they run. Safety does not hang on this: whatever they write is refused.
  await wait(Math.max(0, ...live.map(({ forMs }) => forMs)));
  await hub.rest();
}

/** Where the rows go: the place that was kept for them before, or a new one. */
async function targetPlace(
  from: HubRows,
  to: HubRows,
  target: HubMark | undefined,
  note: MoveNote,
  options: MoveHubOptions,
): Promise<Place> {
  if (target?.closed !== undefined) {
    if (!options.restart && isOf(target, note) && target.note?.state === "moving") return placeOf(target.note);
    await emptyHub(to, target, options);
  }
  const next = await from.next();
  const start = await to.reserve({ number: next.number - 1, sequence: next.sequence - 1 });
  const shift = { numbers: start.number - 1, sequences: start.sequence - 1 };
  const place = { shift, first: start.number, last: start.number + next.number - 2 };
  const mark: MoveNote = { id: note.id, role: "target", state: "moving", other: from.shown, ...place };
  await to.setMark({ closed: fillingText(from, to, options.on), note: mark });
  if ((await to.count(INSTANCES)) === 0) return place;
  // It was open and empty until a moment ago.
  await to.setMark({ closed: undefined, note: undefined });
  throw new InvalidStateError(`Somebody has begun to use ${to.shown} just now, so the task hub cannot move there. Choose another place.`);
}

/** The place that a target's note names. */
export function placeOf(note: MoveNote | undefined): Place {
  if (note?.shift === undefined || note.first === undefined || note.last === undefined)
    throw new StoreUnavailableError("The note of the move that is beside the hub is damaged: it does not say where its rows are.");
  return { shift: note.shift, first: note.first, last: note.last };
}

async function copy(from: HubRows, to: HubRows, place: Place, options: MoveHubOptions): Promise<void> {
  let ofRows = 0;
  let rows = 0;
  for (const table of HUB_TABLES) {
    ofRows += await from.count(table);
    rows += await to.count(table, place);
  }
  options.onProgress({ step: "copying", rows, ofRows });
  await copyRows(from, to, place, options.testing?.limits ?? PAGE, async (table, count) => {
    rows += count;
    options.onProgress({ step: "copying", rows, ofRows });
    options.testing?.after?.(`a page of ${table}`);
    await options.wait(0);
  });
  await to.settle();
}

async function check(from: HubRows, to: HubRows, { shift }: Place, options: MoveHubOptions): Promise<TableSums> {
  let ofRows = 0;
  for (const table of HUB_TABLES) ofRows += await from.count(table);
  let rows = 0;
  const found = await compareRows(from, to, shift, options.testing?.limits ?? PAGE, async (_, count) => {
    rows += count;
    options.onProgress({ step: "checking", rows, ofRows });
    await options.wait(0);
  });
  if ("sums" in found) return found.sums;
  throw new StoreUnavailableError(
    `The copy of ${from.shown} in ${to.shown} is not what was sent: ${found.difference}. Neither of them can be opened. See that nobody else writes to that ` +
      "database; then move again with { restart: true } (--restart), which copies anew, or undo the move.",
  );
}

/** Removes what a closed hub has, and the hub. */
export async function emptyHub(
  hub: HubRows,
  mark: HubMark,
  { onProgress, testing, wait }: Pick<MoveHubOptions, "onProgress" | "testing" | "wait">,
): Promise<void> {
  onProgress({ step: "emptying", rows: 0, ofRows: 0 });
  if (mark.note !== undefined && mark.note.state !== "emptying") {
    const closed = `The task hub ${hub.shown} is being emptied, for a move or for the undoing of one. Run that once more to go on with it.`;
    await hub.setMark({ closed, note: { ...mark.note, state: "emptying" } });
    testing?.after?.("emptying begun");
  }
  const after = async (): Promise<void> => {
    testing?.after?.("a step of emptying");
    await wait(0);
  };
  while (await hub.removeSomeInstances()) await after();
  if (mark.note?.role === "target") {
    const { first, last } = placeOf(mark.note);
    for (const { name } of HUB_TABLES) while (await hub.removeSome(name, first, last)) await after();
  }
  await hub.removeHub();
}

function arrived(source: MoveNote, to: HubRows, target: HubMark | undefined): MoveNote {
  if (target?.note?.id !== source.id) throw new StoreUnavailableError(`Somebody else has changed ${to.shown} meanwhile. ${GO_ON}.`);
  return { ...target.note, state: "moved" };
}

// ---------------------------------------------------------------------------------------------------- what people are told

function labels(owners: readonly LiveOwner[]): string {
  const shown = owners.slice(0, 10).map(({ label }) => `'${label}'`);
  return owners.length > 10 ? `${shown.join(", ")} and ${owners.length - 10} more` : shown.join(", ");
}

/** Why nobody can open a hub that is being moved. */
export function movingText(from: HubRows, to: HubRows, on: string): string {
  return `The task hub ${from.shown} is being moved to ${to.shown} since ${on}, and nobody can open it meanwhile. ${GO_ON} (ostinato move --undo <from> <to>).`;
}

function movedText(from: HubRows, to: HubRows, on: string): string {
  return `The task hub ${from.shown} was moved to ${to.shown} on ${on}. Open it there: what is here is the past. (ostinato move --help says how it comes back.)`;
}

function fillingText(from: HubRows, to: HubRows, on: string): string {
  return `The task hub ${to.shown} is being filled with what moves there from ${from.shown} since ${on}, and is not whole yet. ${GO_ON} (ostinato move --undo <from> <to>).`;
}
