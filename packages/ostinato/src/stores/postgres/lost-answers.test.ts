// What the database has done and nobody was told of: the answer was lost with its connection. Nothing may be held by a process that knows nothing of it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import pg from "pg";
import { activity, orchestrator } from "../../index.ts";
import type { Hub } from "../../index.ts";
import { databaseForTests, withoutPostgres } from "../../../../../scripts/postgres-for-tests.ts";
import { defaultConverter } from "../../authoring/payload.ts";
import { createHub } from "../../hub/hub.ts";
import { limitsOf } from "../../hub/open-task-hub.ts";
import { createLocalBackend } from "../../local/local-backend.ts";
import { holdProcess, systemClock } from "../../platform/clock.ts";
import { silentLogger } from "../../platform/logger.ts";
import { systemRandom } from "../../platform/random.ts";
import { withPooledConnection } from "./database.ts";
import type { PostgresPool } from "./database.ts";
import { openPostgresStore } from "./postgres-store.ts";

/** Says of an answer whether it is lost on its way. `name`: the function that was asked. */
type Loses = (name: string, answer: string) => boolean;

const LEASE_MS = 60_000;
const SOON = { timeout: "15s" } as const;

const double = activity("double", async (ctx, n: number) => n * 2);
const twice = orchestrator("twice", async (ctx, n: number) => {
  const first = await ctx.callActivity(double, n);
  const both = await ctx.whenAll([ctx.callActivity(double, first), ctx.callActivity(double, first)]);
  return both[0] + both[1];
});
const parent = orchestrator("parent", async (ctx, n: number) => {
  const both = await ctx.whenAll([ctx.callSubOrchestrator(twice, n), ctx.callSubOrchestrator(twice, n)]);
  return both[0] + both[1];
});

/** A hub whose line to the database loses answers. Its lease is so long that nobody else ever helps. */
async function hubThatLoses(t: TestContext, loses: Loses): Promise<{ hub: Hub; lost: () => number }> {
  const pool = new pg.Pool({ connectionString: await databaseForTests(), max: 4 });
  let lost = 0;
  const lossy: PostgresPool = {
    connect: () => pool.connect(),
    on: (event, listener) => pool.on(event, listener),
    removeListener: (event, listener) => pool.removeListener(event, listener),
    end: () => pool.end(),
    async query(query) {
      const answer = await pool.query(query as pg.QueryConfig);
      const name = /"?[.](\w+_1)\(/.exec((query as { text: string }).text)?.[1] ?? "";
      if (!loses(name, JSON.stringify(answer.rows))) return answer as never;
      lost++;
      throw Object.assign(new Error("Connection terminated unexpectedly"), { code: "ECONNRESET" });
    },
  };
  const world = { clock: systemClock, random: systemRandom, log: silentLogger };
  const backend = await createLocalBackend({ ...world, store: openPostgresStore({ pool: lossy }), leaseMs: LEASE_MS });
  const hub = createHub({ ...world, backend, converter: defaultConverter, limits: limitsOf(), processors: 2, hold: holdProcess });
  t.after(async () => {
    await hub.close();
    await pool.end();
  });
  return { hub, lost: () => lost };
}

/** True the first so many times that it is asked and `is` holds. */
function first(times: number, is: Loses): Loses {
  return (name, answer) => is(name, answer) && times-- > 0;
}

describe("answers that are lost", { skip: withoutPostgres() }, () => {
  it("L3 a claim that nobody was told of is given back, and claimed again", async (t) => {
    const { hub, lost } = await hubThatLoses(
      t,
      first(2, (name, answer) => name === "claim_1" && /"free":\[/.test(answer)),
    );
    // Nobody serves it yet: it is not leased at once, and the worker finds it.
    const instance = await hub.start("twice", 3);
    await hub.startWorker({ orchestrators: [twice], activities: [double] });
    assert.equal(await instance.result(SOON), 24);
    assert.ok(lost() > 0, "an answer was lost");
  });

  it("A1 activities that were claimed, or born claimed, without anybody's knowledge are run", async (t) => {
    const loses = first(4, (name) => name === "commit_1" || name === "step_1");
    const { hub, lost } = await hubThatLoses(t, loses);
    await hub.startWorker({ orchestrators: [twice], activities: [double] });
    const instance = await hub.start(twice, 3, { instanceId: "one" }).catch(() => hub.instance(twice, "one"));
    assert.equal(await instance.result(SOON), 24);
    assert.ok(lost() > 0, "an answer was lost");
  });

  it("S1 children that were born leased without anybody's knowledge are run", async (t) => {
    let written = 0;
    const loses: Loses = (name, answer) => name === "commit_1" && /"born":\[/.test(answer) && ++written <= 2;
    const { hub, lost } = await hubThatLoses(t, loses);
    await hub.startWorker({ orchestrators: [parent, twice], activities: [double] });
    const instance = await hub.start(parent, 3);
    assert.equal(await instance.result(SOON), 48);
    assert.ok(lost() > 0, "an answer was lost");
  });

  it("R8 a connection that dies while it is lent out is told by its question, and ends no process", async () => {
    const pool = new pg.Pool({ connectionString: await databaseForTests(), max: 1 });
    pool.on("error", () => undefined);
    try {
      const dies = withPooledConnection(
        () => pool.connect(),
        async (connection) => {
          const ended = new Promise<void>((resolve) => connection.on("end", resolve));
          await assert.rejects(connection.query({ text: "select pg_terminate_backend(pg_backend_pid())" }));
          await ended;
          throw new Error("as it was told");
        },
      );
      await assert.rejects(dies, /as it was told/);
      assert.equal((await pool.query<{ one: number }>("select 1 as one")).rows[0]?.one, 1, "the next one is another connection");
    } finally {
      await pool.end();
    }
  });
});
