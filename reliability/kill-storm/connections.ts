// connections: how many connections each process has with the server, looked at while everything goes on (R2).
import { setTimeout as sleep } from "node:timers/promises";
import type { Tally } from "../crash/tally.ts";
import type { Server } from "./server.ts";

/** Pooled ones, one that listens, one that renews. */
export const MOST_CONNECTIONS = 4 + 1 + 1;
export const MOST_SEEN = "connections of one process at most";
const LOOK_MS = 200;

/** Looks at all connections until it is stopped; tells what broke the bound. */
export function watchConnections(server: Server, tally: Tally): { stop(): Promise<string[]> } {
  let isOver = false;
  let most = 0;
  const over = new Map<string, number>();
  const watch = async (): Promise<void> => {
    for (; !isOver; await sleep(LOOK_MS)) {
      const rows = await server.ask<{ name: string; count: number }>(
        `select application_name as name, count(*) as count from pg_stat_activity
         where datname = current_database() and application_name ~ '[0-9]+[.][0-9]+$' group by 1`,
      );
      for (const { name, count } of rows) {
        most = Math.max(most, count);
        if (count > MOST_CONNECTIONS) over.set(name, Math.max(over.get(name) ?? 0, count));
      }
    }
  };
  const watching = watch();
  return {
    async stop() {
      isOver = true;
      await watching;
      tally.add(MOST_SEEN, most);
      return [...over].map(([name, count]) => `R2 ${name} had ${count} connections; ${MOST_CONNECTIONS} are its.`);
    },
  };
}
