// planted: bugs that are put into the functions of a storm's own database on purpose. A storm that does not find them is blind.
//
// Always:  the tree is never touched: what is changed is the text of functions, in a database that is thrown away.
//          A change that no longer fits is an error, and says which.
import type { Server } from "./server.ts";

/** A bug to plant. */
export interface Planted {
  readonly name: string;
  /** Any of these invariants is a fitting name for it. */
  readonly finds: readonly string[];
  /** Texts of functions, and what takes their places. */
  readonly changes: readonly (readonly [from: string, to: string])[];
}

export const PLANTED: readonly Planted[] = [
  {
    name: "turns-are-not-fenced",
    finds: ["L1", "L2", "H1", "H2", "H4", "A3", "I6", "R4", "S1"],
    changes: [
      ["i.epoch <> u.epoch or i.turn <> u.turn", "i.turn <> u.turn"],
      ["i.epoch = u.epoch and (u.turn is null", "(u.turn is null"],
      [" and i.owner = p_owner) and count(i.epoch)", ") and count(i.epoch)"],
    ],
  },
  {
    name: "results-are-not-fenced",
    finds: ["A3", "A4", "H2"],
    changes: [
      ["where u.epoch >= 0 and a.epoch is distinct from u.epoch", "where u.epoch >= 0 and a.epoch is null"],
      ["and a.task_id = u.task) is distinct from u.epoch", "and a.task_id = u.task) is null"],
    ],
  },
  {
    name: "timers-are-early",
    finds: ["T1"],
    changes: [
      ["m.lane = lanes.lane and m.due_at <= p_at", "m.lane = lanes.lane and m.due_at <= p_at + 400"],
      ["m.due_at is null or m.due_at > v_at", "m.due_at is null"],
    ],
  },
  {
    name: "activities-are-not-taken-over",
    finds: ["L3"],
    changes: [["where t.owner = v_owner returning t.name", "where t.owner = v_owner and false returning t.name"]],
  },
];

/** Changes the functions. */
export async function plant(server: Server, { name, changes }: Planted): Promise<void> {
  for (const [from, to] of changes) {
    const found = await server.ask<{ text: string }>(
      "select pg_get_functiondef(p.oid) as text from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'ostinato' and strpos(p.prosrc, $1) > 0",
      from,
    );
    if (found.length === 0) throw new Error(`The planted bug '${name}' no longer fits: no function has '${from}'.`);
    for (const { text } of found) await server.ask(text.replaceAll(from, to));
  }
}
