// sizes: how large the task hub's file is, and what is in it.
import type { HubSizes } from "ostinato";
import { reading } from "../connect.ts";
import { bytesOf } from "../print/bytes.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";

/** Prints the sizes. */
export async function sizes(session: Session): Promise<void> {
  const found = await reading(session, (hub) => hub.sizes());
  await (session.json ? session.tell(found) : session.say(...linesOf(found)));
}

function linesOf(sizes: HubSizes): readonly string[] {
  const {
    fileBytes,
    walBytes,
    freeBytes,
    instances,
    messages,
    activities,
    historyRows,
    historyBytes,
    longestHistories,
    shrinks,
    entities,
  } = sizes;
  const free =
    freeBytes === 0 ? "" : `, of it ${bytesOf(freeBytes)} free (${shrinks ? "goes back to the disk" : "used again before it grows"})`;
  return [
    `file        ${bytesOf(fileBytes)}${free}; its log ${bytesOf(walBytes)}`,
    `instances   ${Object.values(instances).reduce((sum, count) => sum + count, 0)}: ${Object.entries(instances)
      .filter(([, count]) => count > 0)
      .map(([status, count]) => `${count} ${status}`)
      .join(", ")}`,
    `entities    ${entities}`,
    `inboxes     ${messages} messages and timers`,
    `activities  ${activities} scheduled or running`,
    `histories   ${historyRows} turns, about ${bytesOf(historyBytes)}`,
    ...longestHistories.map(
      ({ instanceId, events }, index) => `${index === 0 ? "longest     " : "            "}${events} events: ${quoted(instanceId)}`,
    ),
  ];
}
