// history: what happened to an instance, as a timeline.
import { reading } from "../connect.ts";
import { historyOf, statusOf } from "../look-up.ts";
import { plain } from "../print/escape.ts";
import { paintStatus } from "../print/paint.ts";
import type { Paint } from "../print/paint.ts";
import { eventShape } from "../print/shapes.ts";
import { absolute, lengthOf } from "../print/times.ts";
import type { Session } from "../session.ts";
import { programOf } from "../story/phrases.ts";
import { timelineOf } from "../story/timeline.ts";
import type { TimelineLine } from "../story/timeline.ts";

export interface HistoryOptions {
  readonly payloads?: boolean;
}

/** Prints the history of the instance's current execution. */
export async function history(session: Session, id: string, options: HistoryOptions): Promise<void> {
  const payloads = options.payloads ?? false;
  await reading(session, async (hub) => {
    const status = await statusOf(hub, id);
    const events = await historyOf(hub, id);
    if (session.json) {
      for (const event of events) await session.tell(eventShape(event, payloads));
      return;
    }
    const { paint, now } = session;
    await session.say(
      `${paint.strong(plain(status.id))}  ${programOf(status.name, status.version)}  ${paintStatus(paint, status.status)}  ${paint.faint(`execution ${plain(status.executionId)}`)}`,
    );
    if (events.length === 0) await session.note("It has no history yet: nobody has begun to run it.");
    for (const line of timelineOf(events, { now, payloads })) await session.say(shown(line, paint));
  });
}

const TONES: Readonly<Record<TimelineLine["tone"], keyof Paint | undefined>> = {
  turn: "strong",
  good: "good",
  bad: "bad",
  waiting: "waiting",
  plain: undefined,
  payload: "faint",
};

function shown({ at, offsetMs, indent, text, tone }: TimelineLine, paint: Paint): string {
  const time =
    indent === 2
      ? " ".repeat(absolute(at).length + OFFSET_WIDTH + 2)
      : `${absolute(at)}  ${`+${lengthOf(offsetMs)}`.padStart(OFFSET_WIDTH)}`;
  const name = TONES[tone];
  return `${paint.faint(time)}  ${"  ".repeat(indent)}${name === undefined ? text : paint[name](text)}`;
}

const OFFSET_WIDTH = 12;
