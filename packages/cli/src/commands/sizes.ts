// sizes: how large the task hub's file or database is, and what is in it.
import type { EstimatedSize, HubSizes } from "ostinato";
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
    tables,
    estimated = [],
  } = sizes;
  const about = (what: EstimatedSize): string => (estimated.includes(what) ? "about " : "");
  const free =
    freeBytes === 0 ? "" : `, of it ${bytesOf(freeBytes)} free (${shrinks ? "goes back to the disk" : "used again before it grows"})`;
  return [
    ...(tables === undefined
      ? [`file        ${bytesOf(fileBytes)}${free}; its log ${bytesOf(walBytes)}`]
      : [`database    ${bytesOf(fileBytes)}, all hubs of the schema`, ...tables.map(tableLine)]),
    `instances   ${about("instances")}${Object.values(instances).reduce((sum, count) => sum + count, 0)}: ${Object.entries(instances)
      .filter(([, count]) => count > 0)
      .map(([status, count]) => `${count} ${status}`)
      .join(", ")}`,
    `entities    ${about("entities")}${entities}`,
    `inboxes     ${about("messages")}${messages} messages and timers`,
    `activities  ${about("activities")}${activities} scheduled or running`,
    `histories   ${about("historyRows")}${historyRows} turns, about ${bytesOf(historyBytes)}`,
    ...longestHistories.map(
      ({ instanceId, events }, index) => `${index === 0 ? "longest     " : "            "}${events} events: ${quoted(instanceId)}`,
    ),
  ];
}

function tableLine({ name, bytes, indexBytes, rows, deadRows }: NonNullable<HubSizes["tables"]>[number]): string {
  const dead = deadRows === 0 ? "" : `; ${deadRows} dead rows beside about ${rows}`;
  return `  ${name.padEnd(10)}${bytesOf(bytes)}, indexes ${bytesOf(indexBytes)}${dead}`;
}
