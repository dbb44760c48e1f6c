// explain: why an instance waits, in words.
import type { DetailedStatus, Hub } from "ostinato";
import { holderOfTaskHub } from "ostinato/sqlite";
import { reading } from "../connect.ts";
import { historyOf, statusOf } from "../look-up.ts";
import { paintStatus } from "../print/paint.ts";
import { absolute } from "../print/times.ts";
import type { Session } from "../session.ts";
import { openCalls } from "../story/calls.ts";
import { explain as explained } from "../story/explain.ts";
import type { Explanation, Facts } from "../story/explain.ts";
import { wordsOf } from "../story/words.ts";

/** How deep children of children are followed, and how many of each. */
const DEPTH = 5;
const CHILDREN = 3;

/** Prints why the instance waits. */
export async function explain(session: Session, id: string): Promise<void> {
  await reading(session, async (hub) => {
    const explanation = explained(await factsOf(session, hub, holderFor(session), await statusOf(hub, id), DEPTH));
    if (session.json) return session.tell(shapeOf(explanation));
    const { paint } = session;
    await session.say(
      ...wordsOf(explanation, session.now, {
        heading: (text, status) => paint.strong(paintStatus(paint, status, text)),
        remedy: paint.faint,
      }),
    );
  });
}

function holderFor({ url = "" }: Session): Facts["holder"] {
  try {
    return holderOfTaskHub(url) ?? "nobody";
  } catch {
    // A folder that may not be written to, for example: the rest can be said without it.
    return "unknown";
  }
}

async function factsOf(session: Session, hub: Hub, holder: Facts["holder"], status: DetailedStatus, depth: number): Promise<Facts> {
  const history = status.completedAt === undefined ? await historyOf(hub, status.id) : [];
  const children = new Map<string, Facts | null>();
  const awaited = depth === 0 ? [] : openCalls(history).flatMap(({ instanceId }) => instanceId ?? []);
  for (const id of awaited.slice(0, CHILDREN)) {
    const child = await hub.instance(id).status();
    children.set(id, child === undefined ? null : await factsOf(session, hub, holder, child, depth - 1));
  }
  const { stall, outstanding } = status;
  return {
    now: session.now,
    id: status.id,
    name: status.name,
    version: status.version,
    status: status.status,
    createdAt: status.createdAt.getTime(),
    scheduledAt: status.scheduledAt?.getTime(),
    startedAt: status.startedAt?.getTime(),
    updatedAt: status.lastUpdatedAt.getTime(),
    completedAt: status.completedAt?.getTime(),
    failure: status.failure,
    stall: stall && { ...stall, since: stall.since.getTime() },
    notBefore: status.notBefore?.getTime(),
    awaitedEvents: status.awaitedEvents,
    history,
    outstanding,
    holder,
    children,
  };
}

/** The explanation with its times as text. */
function shapeOf(explanation: Explanation): object {
  const { reasons, version, ...rest } = explanation;
  return {
    ...rest,
    ...(version === undefined ? {} : { version }),
    reasons: reasons.map(({ since, until, child, ...reason }) => ({
      ...reason,
      ...(since === undefined ? {} : { since: absolute(since) }),
      ...(until === undefined ? {} : { until: absolute(until) }),
      ...(child === undefined ? {} : { child: shapeOf(child) }),
    })),
  };
}
