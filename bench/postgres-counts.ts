// postgres-counts: what a step costs the server: statements, rows, bytes of its log, processor time. Not timed: a door that counts stands in the way.
import { runChainsUntil } from "./chains.ts";
import { databaseOf, withHub, type Figures, type Place } from "./place.ts";
import { writtenTo } from "./postgres-server.ts";
import { countingDoor } from "./statement-count.ts";

/** W1 counted, starts and ends included: everything divided by the steps that were made. */
export async function countedChains(place: Place, inFlight: number): Promise<Figures> {
  const database = databaseOf(place);
  const door = await countingDoor(database);
  try {
    const counted = await withHub({ ...place, database: door.url }, async (hub) => {
      // The tables, the plans and the code are there before the count begins.
      const warm = await runChainsUntil(hub, inFlight, performance.now() + place.seconds * 250);
      const [before, statementsBefore] = [await writtenTo(database), door.statements()];
      const steps = await runChainsUntil(hub, inFlight, performance.now() + place.seconds * 1_000);
      return { warm, steps, before, statements: door.statements() - statementsBefore };
    });
    // The server counts rows when their connections end; what was there before them is the schema, of some tens of rows.
    const after = await writtenTo(database);
    const { warm, steps, before, statements } = counted;
    const name = `${place.store}.chain10.k${inFlight}`;
    const figures: Record<string, number> = {
      [`${name}.statements_per_step`]: statements / steps,
      [`${name}.rows_per_step`]: after.rows / (warm + steps),
      [`${name}.log_bytes_per_step`]: (after.logBytes - before.logBytes) / steps,
      [`${name}.disk_bytes_per_step`]: (after.bytes - before.bytes) / steps,
      [`${name}.server_cpu`]: (after.cpu - before.cpu) / steps,
    };
    if (inFlight !== 200) return figures;
    return {
      ...figures,
      [`${place.store}.statements_per_step`]: statements / steps,
      [`${place.store}.rows_per_step`]: after.rows / (warm + steps),
    };
  } finally {
    await door.close();
  }
}
