// rest: waits until nothing is left to do, as the tables have it, for as long as something happens.
import { setTimeout as sleep } from "node:timers/promises";
import { StoodStill } from "../crash/bounded.ts";
import type { Desk } from "./desk.ts";
import type { Server } from "./server.ts";

/** When nothing has changed for so long, it stands still. */
const STILL_MS = 30_000;
const LOOK_MS = 250;

/** What is left of work: an instance that has not ended, messages, activities; and how much has been done. */
const LEFT = `select (select count(*) from ostinato.instances where status < 3 and kind = 0) as instances,
  (select count(*) from ostinato.messages) as messages, (select count(*) from ostinato.activities) as activities,
  (select coalesce(sum(turn), 0)::bigint from ostinato.instances) as turns`;

/** Waits until all steps are confirmed and nothing is left; StoodStill when nothing happens any more. */
export async function untilRest(server: Server, all: Promise<unknown>, desk: Desk): Promise<void> {
  let isAsked = false;
  void all.then(() => (isAsked = true));
  let before = "";
  for (let since = performance.now(); ; await sleep(LOOK_MS)) {
    const [left] = await server.ask<Record<"instances" | "messages" | "activities", number>>(LEFT);
    if (left === undefined) continue;
    if (isAsked && left.instances + left.messages + left.activities === 0) return;
    const now = JSON.stringify([left, desk.counts.steps]);
    if (now !== before) since = performance.now();
    before = now;
    if (performance.now() - since > STILL_MS) {
      const asking = [...desk.pending].slice(0, 10).map(([id, step]) => `${id}: ${step}`);
      throw new StoodStill(`Nothing happens, and there is work.\n${await stateOf(server)}\n  asked: ${asking.join("; ")}`);
    }
  }
}

/** How things stand, for a person. */
export async function stateOf(server: Server): Promise<string> {
  const show = async (what: string, sql: string): Promise<string> => {
    const rows = await server.ask<object>(sql);
    return rows.length === 0 ? "" : `  ${what}:\n${rows.map((row) => `    ${JSON.stringify(row)}`).join("\n")}\n`;
  };
  return (
    (await show("left", LEFT)) +
    (await show(
      "not ended",
      `select number, id, name, status, epoch, turn, owner, held, not_before, stall, awaited_events, locked_by, attempts from ostinato.instances i
       where (status < 3 and kind = 0) or exists (select 1 from ostinato.messages m where m.number = i.number) order by number limit 12`,
    )) +
    (await show(
      "messages",
      "select number, lane, due_at, sequence, id, execution, left(body, 120) as body from ostinato.messages order by number limit 12",
    )) +
    (await show(
      "activities",
      "select number, generation, task_id, name, epoch, delivery, owner, visible_at from ostinato.activities limit 12",
    )) +
    (await show("ready", "select * from ostinato.ready limit 12")) +
    (await show("news", "select * from ostinato.news limit 12")) +
    (await show("owners", "select *, floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now from ostinato.owners limit 20"))
  );
}
