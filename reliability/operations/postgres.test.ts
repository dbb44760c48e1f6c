// What docs/operations.md says of backups, earlier moments and failovers, tried on real servers under load, and looked at by the checker.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { openTaskHub, OstinatoError } from "ostinato";
import { databaseForTests, withoutPostgres } from "../../scripts/postgres-for-tests.ts";
import { startTcpProxy, type TcpProxy } from "../../scripts/tcp-proxy.ts";
import { startPostgres, whyNoPostgres, type ThrowAwayPostgres } from "../../scripts/throw-away-postgres.ts";
import { check } from "../checker/check.ts";
import { dumpOfPostgres } from "../checker/from-postgres.ts";
import {
  ARCHIVES,
  archiveOf,
  ask,
  baseBackup,
  bounce,
  bouncer,
  dumpSchema,
  promote,
  recoverTo,
  restoreSchema,
  standbyOf,
  until,
} from "./clusters.ts";
import { customersOf, ended, expected, idOf, place, work, type Story, type Works } from "./customers.ts";

const without = withoutPostgres() || (whyNoPostgres() ?? false);
const isWhole = process.env["STORE"] === "postgres";
const long = without || (isWhole ? false : "they start several servers: STORE=postgres npm test -- reliability/operations");

/** Works on a restored hub until everything in it has ended, and looks at it with the checker. */
async function finishAll(t: Story, url: string, mustBeThere: readonly number[]): Promise<readonly number[]> {
  const before = await dumpOfPostgres(url);
  assert.deepEqual(check({ dump: before }), [], "before anybody works on it");
  const works = await work(url, t);
  const there = before.instances.map(({ record }) => Number(record.id.slice("order-".length)));
  for (const order of mustBeThere) assert.ok(there.includes(order), `order ${order} was acknowledged before`);
  // Whoever was in the middle of asking asks again.
  for (const order of there) if (!mustBeThere.includes(order)) await place(works.hub, order);
  await ended(works.hub, there);
  await works.close();
  assert.deepEqual(check({ dump: await dumpOfPostgres(url), expectations: there.map(expected), atRest: true }), []);
  return there;
}

/** Saves the wait for leases of processes that are not there. */
const nobodyIsAlive = (url: string): Promise<unknown> => ask(url, "update ostinato.owners set gone = true");

/** Waits until a process has said so; the time-out of the story is its limit. */
async function logged({ log }: Works, line: RegExp): Promise<void> {
  while (!log.some((each) => line.test(each))) await new Promise((resolve) => setTimeout(resolve, 100));
}

describe("operating PostgreSQL: a dump", { skip: without }, () => {
  it("D8 taken while everybody works is a hub: restored elsewhere, all that was acknowledged is there and ends as it must", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "ostinato-dump-"));
    const url = await databaseForTests();
    const works = await work(url, t);
    const customers = customersOf(works.hub);
    await customers.reach(50);
    const acknowledged = customers.acknowledged();
    await dumpSchema(url, join(folder, "orders.dump"));
    await customers.leave();
    await works.close();

    const restored = await databaseForTests();
    await restoreSchema(join(folder, "orders.dump"), restored);
    await nobodyIsAlive(restored);
    await finishAll(t, restored, acknowledged);
    rmSync(folder, { recursive: true });
  });
});

describe("operating PostgreSQL: what is asked every minute", { skip: without }, () => {
  it("every query of docs/operations.md is one, for a role that only reads", async (t) => {
    const url = await databaseForTests();
    const works = await work(url, t);
    const customers = customersOf(works.hub);
    await customers.reach(10);
    await customers.leave();
    const page = readFileSync(join(import.meta.dirname, "../../docs/operations.md"), "utf8");
    const blocks = [...page.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, sql = ""]) => sql);
    const [grants, queries] = [blocks.filter((sql) => sql.includes("grant")), blocks.filter((sql) => sql.startsWith("select"))];
    assert.ok(queries.length >= 10, `${queries.length} queries`);
    const role = `watcher_${process.pid}`;
    await ask(
      url,
      `create role ${role}; grant pg_monitor to ${role}; grant usage on schema ostinato to ${role}; grant select on all tables in schema ostinato to ${role}`,
    );
    for (const sql of queries) await ask(url, `set role ${role}; ${sql}`);
    assert.equal(grants.length + queries.length, blocks.length, "each block is one or the other");
    await works.close();
  });
});

describe("operating PostgreSQL: a moment of the past", { skip: long }, () => {
  it("D8 a base backup and the log lead to a named moment, and what was acknowledged by then is there and ends as it must", async (t) => {
    const server = await startPostgres({ settings: ARCHIVES });
    t.after(() => server.stop());
    const works = await work(server.url, t);
    const customers = customersOf(works.hub);
    await customers.reach(50);
    const restored = await baseBackup(server.url);
    t.after(() => restored.stop());
    await customers.reach(150);
    const acknowledged = customers.acknowledged();
    await ask(server.url, "select pg_create_restore_point('before the mistake')");
    await customers.reach(acknowledged.length + 100);
    await customers.leave();
    await works.close();
    const later = customers.acknowledged();
    const [row] = await ask(server.url, "select pg_walfile_name(pg_switch_wal()) as file");
    await until(server.url, "(select coalesce(last_archived_wal, '') >= $1 from pg_stat_archiver)", row?.["file"]);

    await recoverTo(restored, archiveOf(server), { recovery_target_name: "before the mistake" });
    const there = await finishAll(t, restored.url, acknowledged);
    assert.ok(
      later.some((order) => !there.includes(order)),
      "what came after that moment is not there",
    );
  });
});

describe("operating PostgreSQL: failover", { skip: long }, () => {
  const servers: ThrowAwayPostgres[] = [];
  const proxies: TcpProxy[] = [];
  after(async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await Promise.all(servers.map((server) => server.stop()));
  });

  async function pair(): Promise<{ primary: ThrowAwayPostgres; standby: ThrowAwayPostgres; name: TcpProxy; wire: TcpProxy; url: string }> {
    const primary = await startPostgres();
    const wire = await startTcpProxy(primary.port);
    const standby = await standbyOf(withPort(primary.url, wire.port));
    const name = await startTcpProxy(primary.port);
    servers.push(primary, standby);
    proxies.push(wire, name);
    await until(primary.url, "exists (select from pg_stat_replication where state = 'streaming')");
    return { primary, standby, name, wire, url: withPort(primary.url, name.port) };
  }

  async function failOver({
    primary,
    standby,
    name,
  }: {
    primary: ThrowAwayPostgres;
    standby: ThrowAwayPostgres;
    name: TcpProxy;
  }): Promise<void> {
    await primary.shutDown("immediate");
    await promote(standby);
    name.leadTo(standby.port);
    name.cut();
  }

  it("D7 with a synchronous standby nothing that was acknowledged is lost, and the processes go on by themselves", async (t) => {
    const { primary, standby, name, url } = await pair();
    await ask(primary.url, "alter system set synchronous_standby_names = '*'");
    await ask(primary.url, "select pg_reload_conf()");
    await until(primary.url, "exists (select from pg_stat_replication where sync_state = 'sync')");
    const works = await work(url, t);
    const customers = customersOf(works.hub);
    await customers.reach(100);
    await failOver({ primary, standby, name });
    await customers.reach(200);
    await customers.leave();
    const acknowledged = customers.acknowledged();
    await ended(works.hub, acknowledged);
    await works.close();
    const dump = await dumpOfPostgres(standby.url);
    const there = new Set(dump.instances.map(({ record }) => record.id));
    for (const order of acknowledged) assert.ok(there.has(idOf(order)), `order ${order} was acknowledged`);
    assert.deepEqual(check({ dump, expectations: acknowledged.map(expected), atRest: true }), []);
  });

  it("D7 with an asynchronous standby the last moments are lost and nothing is split: what is left goes on, what is asked again is done", async (t) => {
    const { primary, standby, name, wire, url } = await pair();
    const works = await work(url, t);
    const customers = customersOf(works.hub);
    await customers.reach(100);
    const safe = customers.acknowledged();
    const [here] = await ask(primary.url, "select pg_current_wal_lsn()::text as lsn");
    await until(primary.url, "(select bool_and(flush_lsn >= $1::pg_lsn) from pg_stat_replication)", here?.["lsn"]);
    wire.become("black-hole");
    await customers.reach(200);
    await failOver({ primary, standby, name });
    await customers.reach(300);
    await customers.leave();
    const acknowledged = customers.acknowledged();
    const dump = await dumpOfPostgres(standby.url);
    const there = new Set(dump.instances.map(({ record }) => record.id));
    const lost = acknowledged.filter((order) => !there.has(idOf(order)));
    assert.ok(lost.length > 0, "something had been acknowledged that the standby had not heard of");
    for (const order of lost) assert.equal(await works.hub.instance(idOf(order)).status(), undefined);
    // Customers who miss their order, or its payment, ask again.
    for (const order of acknowledged) await place(works.hub, order);
    await ended(works.hub, acknowledged);
    await logged(works, /leases of this process had run out/);
    await works.close();
    assert.deepEqual(check({ dump: await dumpOfPostgres(standby.url), expectations: acknowledged.map(expected), atRest: true }), []);
    for (const order of safe) assert.ok(!lost.includes(order), `order ${order} was on both servers`);
  });

  it("D7 a server that only reads is told as one that is not there", async () => {
    const { standby } = await pair();
    await assert.rejects(openTaskHub(standby.url), (error) => error instanceof OstinatoError && /only reads/.test(error.message));
  });
});

const pooler = bouncer();
const unpooled = long || ("why" in pooler ? pooler.why : false);

describe("operating PostgreSQL: a pooler in transaction mode", { skip: unpooled }, () => {
  it("L6 everything works behind it, and the log says that notices do not arrive", async (t) => {
    const server = await startPostgres();
    t.after(() => server.stop());
    const free = await startTcpProxy(server.port);
    await free.close();
    const pooled = await bounce("program" in pooler ? pooler.program : "", server, free.port);
    t.after(() => pooled.stop());
    const works = await work(pooled.url, t);
    const other = await openTaskHub(pooled.url);
    t.after(() => other.close());
    const customers = customersOf(other);
    await customers.reach(50);
    await customers.leave();
    await ended(other, customers.acknowledged());
    await logged(works, /notices of PostgreSQL do not arrive/);
    await other.close();
    await works.close();
    const dump = await dumpOfPostgres(server.url);
    assert.deepEqual(check({ dump, expectations: customers.acknowledged().map(expected), atRest: true }), []);
  });
});

function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}
