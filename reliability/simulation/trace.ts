// trace: a world as lines that people read.
import type { Entry } from "../checker/journal.ts";
import { START } from "./clients.ts";
import type { Setup } from "./setup.ts";
import type { Outcome } from "./world.ts";

/** What happened, line by line. `about`: one instance alone. */
export function traceOf(outcome: Outcome, about?: string): string[] {
  const lines: string[] = [];
  for (const entry of outcome.journal) {
    if (about !== undefined && idOf(entry) !== undefined && idOf(entry) !== about) continue;
    const text = textOf(entry);
    if (text !== undefined) lines.push(`${((entry.at - START) / 1_000).toFixed(3).padStart(9)}  ${String(entry.by).padEnd(9)} ${text}`);
  }
  return lines;
}

function idOf(entry: Entry): string | undefined {
  if (entry.kind === "stands") return entry.id;
  return "instanceId" in entry ? entry.instanceId : undefined;
}

function textOf(entry: Entry): string | undefined {
  switch (entry.kind) {
    case "stands": {
      if (entry.standing === undefined) return `${entry.id} (${entry.number}) is gone`;
      const { instance, messages, activities } = entry.standing;
      const { status, epoch, turn, generation, stall } = instance.record;
      const last = instance.history.at(-1)?.kind ?? "nothing";
      const inbox = messages.map(({ event }) => event.kind).join(", ");
      const rows = activities.map(({ taskId, delivery, owned }) => `${taskId}${owned ? "!" : ""} (${delivery})`).join(", ");
      return `${entry.id} (${entry.number}) is ${status}, epoch ${epoch}, turn ${turn}, generation ${generation}, ${instance.history.length} events, last ${last}; inbox [${inbox}], activities [${rows}]${stall === undefined ? "" : `, stalled: ${stall.reason}`}`;
    }
    case "body-began":
    case "body-ended":
      return `${entry.instanceId} activity ${entry.taskId} '${entry.name}' attempt ${entry.attempt}, delivery ${entry.delivery}: ${entry.kind === "body-began" ? "begins" : `ends (${entry.outcome})`}`;
    case "invoke":
      return `${entry.call} asks: ${entry.op} ${entry.instanceId} ${JSON.stringify(entry.what ?? {})}`;
    case "ok":
      return `${entry.call} is answered ${JSON.stringify(entry.value ?? "ok")}`;
    case "fail":
      return `${entry.call} is refused: ${entry.code}`;
    case "gives-back":
      return "gives back what it still runs";
    case "died":
      return "dies";
    case "replayed":
      return entry.difference === undefined ? undefined : `a turn of ${entry.instanceId} was run again, and differs`;
    case "lease":
    case "committed":
      return undefined;
  }
}

/** A setup in one line. */
export function setupText({ seed, hosts, instances, faults, blows, orders, wire }: Setup): string {
  const programs = instances.map(({ id, program }) => `${id}: ${program.map((step) => step.do).join(" ")}`).join("; ");
  const outside =
    wire === undefined ? "" : ` (${wire.bareServers ? "bare servers" : "servers with workers"}), ${wire.outside.length} outside`;
  return `seed ${seed}: ${hosts.length} hosts${outside}, ${blows.length} blows, ${orders.length} orders, faults ${faults.join(" ") || "none"}; ${programs}`;
}
