// show: one instance, with all that is known of it beside its history.
import type { DetailedStatus } from "ostinato";
import { reading } from "../connect.ts";
import { statusOf } from "../look-up.ts";
import { jsonText, plain } from "../print/escape.ts";
import { paintStatus } from "../print/paint.ts";
import { instanceShape, known, payloadsOf } from "../print/shapes.ts";
import { both, lengthOf } from "../print/times.ts";
import type { Session } from "../session.ts";
import { failureLine, programOf } from "../story/phrases.ts";

export interface ShowOptions {
  readonly payloads?: boolean;
}

/** Prints one instance. */
export async function show(session: Session, id: string, options: ShowOptions): Promise<void> {
  await reading(session, async (hub) => {
    const status = await statusOf(hub, id);
    if (session.json) await session.tell(shapeOf(status, options.payloads ?? false));
    else await session.say(...linesOf(session, status, options.payloads ?? false));
  });
}

function shapeOf(status: DetailedStatus, payloads: boolean): object {
  const { outstanding } = status;
  return {
    ...instanceShape(status, payloads),
    ...known({
      waitingFor: status.waitingFor,
      awaitedEvents: status.awaitedEvents,
      notBefore: status.notBefore,
      outstanding: outstanding && known({ ...outstanding, activities: outstanding.activities.map((activity) => known({ ...activity })) }),
    }),
  };
}

function linesOf({ paint, now }: Session, status: DetailedStatus, payloads: boolean): string[] {
  const lines = [`${paint.strong(plain(status.id))}  ${paintStatus(paint, status.status)}`];
  const field = (name: string, text: string | undefined): void => {
    if (text !== undefined && text !== "") lines.push(`  ${paint.faint(name.padEnd(14))}${text}`);
  };
  const time = (name: string, date: Date | undefined): void => field(name, date && both(date.getTime(), now));
  field("orchestrator", programOf(status.name, status.version));
  field("execution", plain(status.executionId));
  time("created", status.createdAt);
  time("scheduled", status.scheduledAt);
  time("started", status.startedAt);
  time("last update", status.lastUpdatedAt);
  time("completed", status.completedAt);
  if (status.completedAt !== undefined)
    field("took", lengthOf(status.completedAt.getTime() - (status.startedAt ?? status.createdAt).getTime()));
  field("parent", status.parentInstanceId && plain(status.parentInstanceId));
  for (const [name, value] of Object.entries(status.tags)) field("tag", `${plain(name)}=${plain(value)}`);
  field("failure", status.failure && paint.bad(failureLine(status.failure)));
  field(
    "stalls",
    status.stall &&
      paint.bad(`${plain(status.stall.kind)}, since ${both(status.stall.since.getTime(), now)}: ${plain(status.stall.reason)}`),
  );
  status.waitingFor.forEach((line, index) => field(index === 0 ? "waits for" : "", plain(line)));
  if (payloads) for (const [name, value] of Object.entries(payloadsOf(status))) field(name, jsonText(value));
  return lines;
}
