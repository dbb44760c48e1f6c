// cycles: who must have come before whom, and whether anybody must have come before himself.
//
// Owns:    graphs of transactions; their knots (strongly connected components); what kind of anomaly a cycle is.
// Always:  CY1 it takes time in proportion to the edges where nothing is broken. Only a knot is looked at longer, and that with a bound.
//          CY2 a cycle is named by the fewest kinds of edges that make it: G0 writes alone, G1c writes and reads, G-single one anti-dependency,
//              G2 several. It has `-realtime` behind its name when it needs the order of a clock or of one sender.

/** Why one comes before the other: it wrote the version before (ww), or the version that was read (wr); it read the version before (rw);
 *  its sender asked for it before (process); it had been answered before the other was asked for (real-time). */
export type EdgeKind = "ww" | "wr" | "rw" | "process" | "real-time";

/** From one node to another. */
export interface Edge {
  readonly to: number;
  readonly kind: EdgeKind;
}

/** The edges that leave each node. */
export type Graph = readonly (readonly Edge[])[];

/** Kinds of anomalies. */
export type Anomaly = `${"G0" | "G1c" | "G-single" | "G2"}${"" | "-realtime"}`;

/** A cycle: each step leads to the node of the next one, the last one to the first. */
export interface Cycle {
  readonly anomaly: Anomaly;
  readonly steps: readonly { readonly node: number; readonly kind: EdgeKind }[];
}

/** So many edges of a knot are tried in the search for a cycle with one anti-dependency alone. */
const MOST_TRIES = 200;
const MOST_CYCLES = 20;

const LADDER: readonly (readonly [name: "G0" | "G1c" | "G2", kinds: readonly EdgeKind[]])[] = [
  ["G0", ["ww"]],
  ["G1c", ["ww", "wr"]],
  ["G2", ["ww", "wr", "rw"]],
];
const ORDER: readonly EdgeKind[] = ["process", "real-time"];

/** A cycle for each knot of a graph, of the simplest kind that there is. */
export function cyclesOf(graph: Graph): Cycle[] {
  const cycles: Cycle[] = [];
  const told = new Set<number>();
  for (const suffix of ["", "-realtime"] as const)
    for (const [name, plain] of LADDER) {
      const kinds: ReadonlySet<EdgeKind> = new Set(suffix === "" ? plain : [...plain, ...ORDER]);
      for (const knot of knotsOf(graph, kinds)) {
        if (cycles.length >= MOST_CYCLES || knot.some((node) => told.has(node))) continue;
        for (const node of knot) told.add(node);
        const steps = cycleIn(graph, knot, kinds);
        if (steps === undefined) continue;
        const single = steps.filter(({ kind }) => kind === "rw").length === 1;
        cycles.push({ anomaly: `${name === "G2" && single ? "G-single" : name}${suffix}`, steps });
      }
    }
  return cycles;
}

/** The knots of a graph, as far as these kinds of edges go: sets of nodes that all come before each other. Tarjan's algorithm, without recursion. */
export function knotsOf(graph: Graph, kinds: ReadonlySet<EdgeKind>): number[][] {
  const knots: number[][] = [];
  const number = new Int32Array(graph.length).fill(-1);
  const low = new Int32Array(graph.length);
  const next = new Int32Array(graph.length);
  const isOpen = new Uint8Array(graph.length);
  const open: number[] = [];
  const path: number[] = [];
  let count = 0;
  const enter = (node: number): void => {
    number[node] = low[node] = count++;
    isOpen[node] = 1;
    open.push(node);
    path.push(node);
  };
  for (let root = 0; root < graph.length; root++) {
    if (number[root] !== -1) continue;
    enter(root);
    while (path.length > 0) {
      const node = path.at(-1)!;
      const edge = graph[node]![next[node]!];
      if (edge !== undefined) {
        next[node]!++;
        if (!kinds.has(edge.kind)) continue;
        if (number[edge.to] === -1) enter(edge.to);
        else if (isOpen[edge.to] === 1) low[node] = Math.min(low[node]!, number[edge.to]!);
        continue;
      }
      path.pop();
      const below = path.at(-1);
      if (below !== undefined) low[below] = Math.min(low[below]!, low[node]!);
      if (low[node] !== number[node]) continue;
      const knot = open.splice(open.lastIndexOf(node));
      for (const each of knot) isOpen[each] = 0;
      if (knot.length > 1) knots.push(knot);
    }
  }
  return knots;
}

/** A cycle in a knot: with as few anti-dependencies as the search finds, and as short. */
function cycleIn(graph: Graph, knot: readonly number[], kinds: ReadonlySet<EdgeKind>): Cycle["steps"] | undefined {
  const inside = new Set(knot);
  const calm = new Set(kinds);
  calm.delete("rw");
  let tries = 0;
  // One of the kinds that depend on data, or else the order alone would be its own anomaly.
  for (const wanted of ["rw", "ww", "wr"] as const)
    for (const node of knot)
      for (const { to, kind } of graph[node]!) {
        if (kind !== wanted || !kinds.has(kind) || !inside.has(to) || tries++ > MOST_TRIES) continue;
        const back = pathOf(graph, to, node, inside, calm);
        if (back !== undefined) return [{ node, kind }, ...back];
      }
  for (const node of knot)
    for (const { to, kind } of graph[node]!) {
      if (!kinds.has(kind) || !inside.has(to)) continue;
      const back = pathOf(graph, to, node, inside, kinds);
      if (back !== undefined) return [{ node, kind }, ...back];
    }
  return undefined;
}

/** The shortest path from one node to another. */
function pathOf(
  graph: Graph,
  from: number,
  to: number,
  inside: ReadonlySet<number>,
  kinds: ReadonlySet<EdgeKind>,
): Cycle["steps"] | undefined {
  const came = new Map<number, { readonly node: number; readonly kind: EdgeKind }>();
  const queue = [from];
  for (let at = 0; at < queue.length; at++) {
    const node = queue[at]!;
    if (node === to) {
      const steps: { node: number; kind: EdgeKind }[] = [];
      for (let place = to; place !== from;) {
        const step = came.get(place)!;
        steps.unshift(step);
        place = step.node;
      }
      return steps;
    }
    for (const { to: next, kind } of graph[node]!) {
      if (!kinds.has(kind) || !inside.has(next) || next === from || came.has(next)) continue;
      came.set(next, { node, kind });
      queue.push(next);
    }
  }
  return undefined;
}
