// What the rules of lists find in histories that were made by hand: each anomaly by its name, and nothing where there is none.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cyclesOf, type Graph } from "./cycles.ts";
import { checkLists, type ListOperation } from "./entity-lists.ts";
import { collect, violationText } from "./violation.ts";

let ids = 0;
/** An operation between two moments. */
function done(sender: string, entity: string, [from, to]: readonly [number, number], rest: Partial<ListOperation>): ListOperation {
  return { id: `r${++ids}`, entity, sender, from, to, asked: from, sent: from, outcome: "ok", times: 1, ...rest };
}

const append = (
  sender: string,
  entity: string,
  span: readonly [number, number],
  appends: string,
  saw: string,
  section?: string,
): ListOperation => done(sender, entity, span, { appends, saw: [...saw], ...(section === undefined ? {} : { section }) });
const read = (sender: string, entity: string, span: readonly [number, number], saw: string, section?: string): ListOperation =>
  done(sender, entity, span, { saw: [...saw], ...(section === undefined ? {} : { section }) });

function found(operations: readonly ListOperation[], lists: Readonly<Record<string, string>>, atRest = true): string[] {
  const { report, found: all } = collect();
  checkLists({ operations, lists: new Map(Object.entries(lists).map(([entity, list]) => [entity, [...list]])), atRest }, report);
  return all().map(violationText);
}

function foundOne(anomaly: RegExp, operations: readonly ListOperation[], lists: Readonly<Record<string, string>>): void {
  const all = found(operations, lists);
  assert.ok(
    all.some((text) => anomaly.test(text)),
    all.join("\n") || "nothing was found",
  );
}

describe("E1 no order explains", () => {
  test("two sections that have written past each other: G0", () => {
    const operations = [
      append("p", "x", [0, 50], "a", "a", "s1"),
      append("p", "y", [1, 50], "b", "db", "s1"),
      append("q", "x", [0, 50], "c", "ac", "s2"),
      append("q", "y", [1, 50], "d", "d", "s2"),
    ];
    foundOne(/^E1 G0: .* -ww-> .* -ww->/, operations, { x: "ac", y: "db" });
  });

  test("two sections of which each has read what the other wrote: G1c", () => {
    const operations = [
      append("p", "x", [0, 50], "a", "a", "s1"),
      read("p", "y", [1, 50], "d", "s1"),
      append("q", "y", [0, 50], "d", "d", "s2"),
      read("q", "x", [1, 50], "a", "s2"),
    ];
    foundOne(/^E1 G1c: /, operations, { x: "a", y: "d" });
  });

  test("a section that saw half of another one: G-single", () => {
    const operations = [
      append("p", "x", [0, 50], "a", "a", "s1"),
      append("p", "y", [1, 50], "b", "b", "s1"),
      read("q", "x", [0, 50], "a", "s2"),
      read("q", "y", [1, 50], "", "s2"),
    ];
    foundOne(/^E1 G-single: /, operations, { x: "a", y: "b" });
  });

  test("two sections of which neither saw the other: G2", () => {
    const operations = [
      read("p", "x", [0, 50], "", "s1"),
      append("p", "y", [1, 50], "b", "b", "s1"),
      read("q", "y", [0, 50], "", "s2"),
      append("q", "x", [1, 50], "a", "a", "s2"),
    ];
    foundOne(/^E1 G2: /, operations, { x: "a", y: "b" });
  });

  test("a read that does not see what had been answered before it was asked for: G-single with real time", () => {
    foundOne(/^E1 G-single-realtime: /, [append("p", "x", [0, 10], "a", "a"), read("q", "x", [20, 30], "")], { x: "a" });
  });

  test("a write that was answered after another one, and stands before it: G0 with real time", () => {
    const operations = [append("p", "x", [0, 10], "a", "ba"), append("q", "x", [20, 30], "b", "b")];
    foundOne(/^E1 G0-realtime: /, operations, { x: "ba" });
  });

  test("a call that comes before a signal for which its sender had asked first", () => {
    const signal = done("p", "x", [0, Number.POSITIVE_INFINITY], { appends: "a", isSignal: true, sent: 1 });
    foundOne(/-process->/, [signal, read("p", "x", [5, 9], "")], { x: "a" });
  });
});

describe("lists show", () => {
  test("E1 a lost update", () => foundOne(/^E1 x: 'a' was answered, .* lost/, [append("p", "x", [0, 10], "a", "a")], { x: "" }));
  test("E1 what nobody has written", () => foundOne(/^E1 x: 'z' .* nobody/, [], { x: "z" }));
  test("E1 an answer of a version that never was", () =>
    foundOne(/^E1 x: An answer saw 'b' where 'a'/, [append("p", "x", [0, 9], "a", "a"), append("q", "x", [0, 9], "b", "b")], { x: "ab" }));
  test("E2 what was done twice", () => foundOne(/^E2 x: 'a' is 2 times/, [append("p", "x", [0, 10], "a", "a")], { x: "aa" }));
  test("E2 one sender's signals out of order", () => {
    const signals = ["a", "b"].map((appends, at) => done("p", "x", [at, Number.POSITIVE_INFINITY], { appends, isSignal: true }));
    foundOne(/^E2 x: 'b' overtook 'a'/, signals, { x: "ba" });
  });
  test("E3 what a failed operation has written", () =>
    foundOne(/^E3 x: 'a'/, [done("p", "x", [0, 9], { appends: "a", outcome: "fail" })], { x: "a" }));
  test("E5 a section that sees the entity change", () =>
    foundOne(/^E5 x: /, [read("p", "x", [0, 9], "", "s"), append("q", "x", [0, 99], "b", "b"), read("p", "x", [10, 19], "b", "s")], {
      x: "b",
    }));
});

test("nothing is found where one came after the other, or at the same time", () => {
  const operations = [
    append("p", "x", [0, 10], "a", "a", "s1"),
    append("p", "y", [11, 20], "b", "b", "s1"),
    read("q", "x", [5, 30], "a", "s2"),
    read("q", "y", [31, 40], "b", "s2"),
    append("r", "x", [0, 50], "c", "ac"),
    done("r", "y", [51, Number.POSITIVE_INFINITY], { appends: "d", outcome: "info" }),
    done("r", "y", [52, Number.POSITIVE_INFINITY], { appends: "e", outcome: "fail" }),
    done("t", "y", [52, Number.POSITIVE_INFINITY], { appends: "f", isSignal: true, notBefore: 9 }),
  ];
  assert.deepEqual(found(operations, { x: "ac", y: "bf" }), []);
});

test("a hundred thousand operations take seconds, and not minutes", { timeout: 20_000 }, () => {
  const operations: ListOperation[] = [];
  const lists: Record<string, string[]> = {};
  for (let at = 0; at < 100_000; at++) {
    const entity = `e${at % 500}`;
    const list = (lists[entity] ??= []);
    list.push(`v${at}`);
    operations.push(
      done(`p${at % 7}`, entity, [at * 2, at * 2 + 9], { appends: `v${at}`, ...(at % 10 === 0 ? { saw: list.slice() } : {}) }),
    );
  }
  const { report, found: all } = collect();
  checkLists({ operations, lists: new Map(Object.entries(lists)), atRest: true }, report);
  assert.deepEqual(all().map(violationText), []);
});

test("a knot of many nodes is told by one short cycle", () => {
  const size = 50_000;
  const graph: Graph = Array.from({ length: size }, (_, node) => [
    { to: (node + 1) % size, kind: "ww" as const },
    ...(node === 7 ? [{ to: 6, kind: "ww" as const }] : []),
  ]);
  const [cycle, ...others] = cyclesOf(graph);
  assert.equal(cycle?.anomaly, "G0");
  assert.equal(others.length, 0);
});
