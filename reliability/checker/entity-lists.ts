// entity-lists: whether what was done to entities can have been done by one after the other, when each of them is a list.
//
// Owns:    E1 (strict serialisability of operations and of sections), E2 (exactly once, in order), E3 (what failed was never there), E5 as far as
//          callers see it.
// Is told: operations as their callers saw them, and how the lists stand in the end. An append adds a text that nobody else adds, so a list is its
//          own history: it says in which order its versions were written, and every answer says which version it saw.
// Always:  EL1 what was not answered may have happened, at any time after it was asked for, or not.
import { cyclesOf, type Edge } from "./cycles.ts";
import type { Report } from "./violation.ts";

/** An operation on one entity. */
export interface ListOperation {
  /** Unique. */
  readonly id: string;
  readonly entity: string;
  /** Who asked for it. */
  readonly sender: string;
  /** What it adds to the list. */
  readonly appends?: string;
  /** The list afterwards, as it was answered. */
  readonly saw?: readonly string[];
  readonly outcome: "ok" | "fail" | "info";
  /** Nobody waited for it: `ok` says that it was accepted. */
  readonly isSignal?: boolean;
  /** When it was asked for, and when it was answered: infinite for what was not. */
  readonly from: number;
  readonly to: number;
  /** By its sender's order: what is asked for after `sent` comes after it. Infinite where the sender knows nothing of it. */
  readonly asked: number;
  readonly sent: number;
  /** Not done before; it has no place in its sender's order. */
  readonly notBefore?: number;
  /** The critical section that it was called in: operations of one section are one transaction. */
  readonly section?: string;
  /** How often it was asked for: so often it may have been done, for what was done before is not remembered for ever. */
  readonly times: number;
}

/** What is known of the lists. */
export interface ListHistory {
  readonly operations: readonly ListOperation[];
  /** How each list stands in the end. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  /** Nothing is under way any more: what was accepted has been done. */
  readonly atRest: boolean;
}

/** Operations that are one step for everybody else: those of a section, or one alone. */
interface Transaction {
  readonly name: string;
  from: number;
  to: number;
}

/** The graph while it is made. */
interface Making {
  readonly nodes: Transaction[];
  readonly edges: Edge[][];
}

/** Reports what is wrong with the lists. */
export function checkLists(history: ListHistory, report: Report): void {
  const places = new Map<string, ReadonlyMap<string, number>>();
  for (const [entity, list] of history.lists) places.set(entity, placesOf(list));
  checkElements(history, report);
  checkSenders(history, places, report);
  checkAnswers(history, report);
  checkCycles(history, places, report);
}

/** Where each text stands first. */
function placesOf(list: readonly string[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  list.forEach((text, place) => {
    if (!places.has(text)) places.set(text, place);
  });
  return places;
}

/** Everything in a list was put there, once, by an operation that did not fail; everything that was to be there is. */
function checkElements({ operations, lists, atRest }: ListHistory, report: Report): void {
  const appends = new Map<string, ListOperation>();
  for (const operation of operations)
    if (operation.appends !== undefined) appends.set(`${operation.entity} ${operation.appends}`, operation);
  const found = new Map<string, number>();
  for (const [entity, list] of lists)
    for (const text of list) {
      const key = `${entity} ${text}`;
      found.set(key, (found.get(key) ?? 0) + 1);
      const operation = appends.get(key);
      if (operation === undefined) report("E1", entity, `'${text}' is in its list, and nobody has put it there.`);
      else if (operation.outcome === "fail")
        report("E3", entity, `'${text}' is in its list, and the operation that put it there has failed.`);
    }
  for (const [key, operation] of appends) {
    const times = found.get(key) ?? 0;
    const { entity, appends: text, outcome, isSignal = false } = operation;
    if (times > operation.times)
      report(
        "E2",
        entity,
        `'${text}' is ${times} times in its list, and was asked for ${operation.times === 1 ? "once" : operation.times}.`,
      );
    if (times > 0 || outcome !== "ok") continue;
    if (!isSignal) report("E1", entity, `'${text}' was answered, and is not in its list: an update is lost.`);
    else if (atRest) report("E2", entity, `'${text}' was signalled and accepted, and is not in its list.`);
  }
}

/** E2: what one sender has asked for, one after the other, is done in that order. */
function checkSenders({ operations }: ListHistory, places: ReadonlyMap<string, ReadonlyMap<string, number>>, report: Report): void {
  const bySender = new Map<string, { readonly operation: ListOperation; readonly place: number }[]>();
  for (const operation of operations) {
    const place = operation.appends === undefined ? undefined : places.get(operation.entity)?.get(operation.appends);
    if (place === undefined || operation.notBefore !== undefined || operation.times > 1) continue;
    const key = `${operation.sender} ${operation.entity}`;
    bySender.set(key, [...(bySender.get(key) ?? []), { operation, place }]);
  }
  for (const all of bySender.values()) {
    const sent = all.toSorted((a, b) => a.operation.sent - b.operation.sent);
    let next = 0;
    let last: (typeof all)[number] | undefined;
    for (const each of all.sort((a, b) => a.operation.asked - b.operation.asked)) {
      for (; next < sent.length && sent[next]!.operation.sent < each.operation.asked; next++)
        if (last === undefined || sent[next]!.place > last.place) last = sent[next];
      if (last !== undefined && last.place > each.place)
        report(
          "E2",
          each.operation.entity,
          `'${each.operation.appends}' overtook '${last.operation.appends}', for which ${each.operation.sender} had asked before.`,
        );
    }
  }
}

/** Each answer is a version that there was; and within a section nothing happens but the section's own. */
function checkAnswers({ operations, lists }: ListHistory, report: Report): void {
  const sections = new Map<string, readonly string[]>();
  for (const { entity, saw, appends, section, id } of operations.toSorted((a, b) => a.from - b.from)) {
    if (saw === undefined) continue;
    const list = lists.get(entity) ?? [];
    const wrong = saw.findIndex((text, at) => list[at] !== text);
    if (wrong >= 0)
      report(
        "E1",
        entity,
        `An answer saw '${saw[wrong]}' where '${list[wrong] ?? "nothing"}' stands: this version never was, or is lost.`,
        { id },
      );
    if (appends !== undefined && saw.at(-1) !== appends)
      report("E1", entity, `The one who added '${appends}' saw '${saw.at(-1) ?? "nothing"}' at the end of its list.`);
    if (section === undefined) continue;
    const key = `${section} ${entity}`;
    const before = sections.get(key);
    if (before !== undefined) {
      const own = appends === undefined ? before.length : before.length + 1;
      if (saw.length !== own)
        report(
          "E5",
          entity,
          `Within the section ${section} it went from ${before.length} to ${saw.length} entries, and ${own} were its own.`,
          {
            before: before.at(-1),
            saw: saw.slice(before.length),
          },
        );
    }
    sections.set(key, saw);
  }
}

// ---- cycles

/** E1: there is an order of all transactions that explains every answer, and in which nobody comes before one who had ended before he began. */
function checkCycles({ operations, lists }: ListHistory, places: ReadonlyMap<string, ReadonlyMap<string, number>>, report: Report): void {
  const making: Making = { nodes: [], edges: [] };
  const nodeOf = transactions(making, operations, places);
  const writers = new Map<string, readonly (number | undefined)[]>();
  for (const [entity, list] of lists) {
    const own = list.map((text, place) => (places.get(entity)?.get(text) === place ? nodeOf.get(`${entity} ${text}`) : undefined));
    writers.set(entity, own);
    for (let place = 1; place < own.length; place++) link(making, own[place - 1], own[place], "ww");
  }
  for (const { id, entity, saw, appends, outcome } of operations) {
    if (saw === undefined || outcome !== "ok") continue;
    // What it has added itself it sees as well: the version that it read is the one before.
    const read = saw.length - (appends === undefined ? 0 : 1);
    link(making, writers.get(entity)?.[read - 1], nodeOf.get(id), "wr");
    if (appends === undefined) link(making, nodeOf.get(id), writers.get(entity)?.[read], "rw");
  }
  const count = making.nodes.length;
  linkSenders(making, operations, nodeOf);
  linkTime(making);
  for (const { anomaly, steps } of cyclesOf(making.edges)) {
    const names = steps.filter(({ node }) => node < count).map(({ node, kind }) => `${making.nodes[node]?.name} -${kind}->`);
    report("E1", undefined, `${anomaly}: no order explains ${names.slice(0, 8).join(" ")} ${names.length > 8 ? "..." : "the first one"}`);
  }
}

/** The transactions of what happened; each operation's, by its id and by what it has added. */
function transactions(
  { nodes, edges }: Making,
  operations: readonly ListOperation[],
  places: ReadonlyMap<string, ReadonlyMap<string, number>>,
): ReadonlyMap<string, number> {
  const nodeOf = new Map<string, number>();
  for (const { id, entity, appends, outcome, from, to, section, times } of operations) {
    const isThere = appends !== undefined && places.get(entity)?.has(appends) === true;
    if (outcome === "fail" || times > 1 || (outcome !== "ok" && !isThere)) continue;
    const key = section === undefined ? id : `section ${section}`;
    let node = nodeOf.get(key);
    if (node === undefined) {
      nodeOf.set(key, (node = nodes.length));
      nodes.push({ name: section === undefined ? (appends ?? `read ${id}`) : key, from, to });
      edges.push([]);
    } else {
      nodes[node]!.from = Math.min(nodes[node]!.from, from);
      nodes[node]!.to = Math.max(nodes[node]!.to, to);
    }
    nodeOf.set(id, node);
    if (appends !== undefined) nodeOf.set(`${entity} ${appends}`, node);
  }
  return nodeOf;
}

function link({ edges }: Making, from: number | undefined, to: number | undefined, kind: Edge["kind"]): void {
  if (from !== undefined && to !== undefined && from !== to) edges[from]!.push({ to, kind });
}

/** What one sender asked of one entity, one after the other. */
function linkSenders(making: Making, operations: readonly ListOperation[], nodeOf: ReadonlyMap<string, number>): void {
  const last = new Map<string, ListOperation>();
  for (const operation of operations.toSorted((a, b) => a.asked - b.asked)) {
    if (operation.notBefore !== undefined || !nodeOf.has(operation.id)) continue;
    const key = `${operation.sender} ${operation.entity}`;
    const before = last.get(key);
    if (before !== undefined && before.sent < operation.asked) link(making, nodeOf.get(before.id), nodeOf.get(operation.id), "process");
    last.set(key, operation);
  }
}

/** Who had been answered comes before who was asked for later. A chain of moments in between keeps the edges as few as the transactions. */
function linkTime({ nodes, edges }: Making): void {
  const moments = nodes
    .flatMap(({ from, to }, node) => [
      { at: from, node, begins: true },
      { at: to, node, begins: false },
    ])
    .filter(({ at }) => Number.isFinite(at))
    .sort((a, b) => a.at - b.at || Number(b.begins) - Number(a.begins));
  let last: number | undefined;
  for (const { node, begins } of moments) {
    if (begins) {
      if (last !== undefined) edges[last]!.push({ to: node, kind: "real-time" });
      continue;
    }
    const moment = edges.length;
    edges.push([]);
    edges[node]!.push({ to: moment, kind: "real-time" });
    if (last !== undefined) edges[last]!.push({ to: moment, kind: "real-time" });
    last = moment;
  }
}
