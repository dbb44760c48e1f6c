// rewind: a failed instance tries again what failed, and nothing else.
import type { DetailedStatus } from "ostinato";
import { changing, nobodyRuns, refused } from "../change.ts";
import { plain } from "../print/escape.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";
import type { ReasonOptions } from "./suspend.ts";

/** Rewinds the instance. */
export async function rewind(session: Session, id: string, { reason }: ReasonOptions): Promise<void> {
  const check = ({ status }: DetailedStatus): void => {
    if (status !== "FAILED") throw refused(`The instance '${plain(id)}' is ${status}: only one that has FAILED can be rewound.`);
  };
  await changing(session, id, `hub.instance(${JSON.stringify(id)}).rewind()`, check, async (hub) => {
    await hub.instance(id).rewind(reason);
    if (session.json) return session.tell({ id, status: (await hub.instance(id).status())?.status });
    await session.say(`Rewound ${quoted(id)}: what failed is tried again, what succeeded is not.`);
    await nobodyRuns(session);
  });
}
