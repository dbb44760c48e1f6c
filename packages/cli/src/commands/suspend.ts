// suspend: an instance is held; events and results wait meanwhile.
import { changing, refuseEnded } from "../change.ts";
import type { Session } from "../session.ts";
import { argument } from "../story/explain.ts";
import { quoted } from "../story/phrases.ts";

export interface ReasonOptions {
  readonly reason?: string;
}

/** Suspends the instance. */
export async function suspend(session: Session, id: string, { reason }: ReasonOptions): Promise<void> {
  const instead = `hub.instance(${JSON.stringify(id)}).suspend()`;
  await changing(session, id, instead, refuseEnded("has ended and cannot be suspended"), async (hub, before) => {
    const isChanged = before.status !== "SUSPENDED";
    await hub.instance(id).suspend(reason);
    if (session.json) return session.tell({ id, status: "SUSPENDED", isChanged });
    await session.say(
      isChanged ? `Suspended ${quoted(id)}. It goes on after: ostinato resume ${argument(id)}` : `${quoted(id)} is suspended already.`,
    );
  });
}
