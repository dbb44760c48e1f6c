// The server that tests throw away: what it keeps over its deaths, and that nothing of it is left.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { startPostgres, whyNoPostgres } from "./throw-away-postgres.ts";
import type { ThrowAwayPostgres } from "./throw-away-postgres.ts";

const why = whyNoPostgres();

describe("throw-away PostgreSQL", { skip: why ?? false }, () => {
  let server: ThrowAwayPostgres;
  before(async () => void (server = await startPostgres({ settings: { log_connections: "on" } })));
  after(() => server.stop());

  it("is as safe as it comes", async () => {
    const client = await connected(server.url);
    for (const setting of ["fsync", "synchronous_commit", "full_page_writes"]) {
      assert.deepEqual((await client.query(`select current_setting('${setting}') as is`)).rows, [{ is: "on" }], setting);
    }
    await client.end();
    assert.match(server.log(), /connection received/);
  });

  it("gives each story a database of its own, in the order of a language if asked", async () => {
    const [one, other] = [
      await connected(await server.freshDatabase()),
      await connected(await server.freshDatabase({ language: "en-US" })),
    ];
    await one.query("create table mine(x int)");
    assert.deepEqual((await other.query("select to_regclass('mine') as is")).rows, [{ is: null }]);
    const sorted = "select string_agg(x, '' order by x) as is from unnest('{b,A,a,B}'::text[]) x";
    assert.deepEqual((await one.query(sorted)).rows, [{ is: "ABab" }]);
    const { version } = (await other.query<{ version: number }>("select current_setting('server_version_num')::int as version")).rows[0]!;
    assert.deepEqual((await other.query(sorted)).rows, [{ is: version >= 150_000 ? "aAbB" : "ABab" }]);
    await one.end();
    await other.end();
  });

  for (const mode of ["fast", "immediate"] as const) {
    it(`keeps what was committed over a restart (${mode}), and its port`, async () => {
      const url = await server.freshDatabase();
      const client = await connected(url);
      const lost = once(client, "error");
      await client.query("create table kept as select 1 as x");
      await server.restart({ mode });
      await lost;
      const next = await connected(url);
      assert.deepEqual((await next.query("select x from kept")).rows, [{ x: 1 }]);
      await next.end();
    });
  }

  it("is down until it is started", async () => {
    await server.shutDown("immediate");
    await assert.rejects(connected(server.url), { code: "ECONNREFUSED" });
    await server.start();
    await (await connected(server.url)).end();
  });

  it("ends connections as an administrator does, some or all", async () => {
    const clients = [await connected(server.url), await connected(server.url)];
    const pid = (await clients[0]!.query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]!.pid;
    const [first, second] = clients.map((client) => once(client, "error"));
    assert.equal(await server.killBackends({ pids: [pid] }), 1);
    assert.equal(((await first)![0] as { code: string }).code, "57P01");
    await clients[1]!.query("select 1");
    assert.equal(await server.killBackends(), 1);
    await second;
  });

  it("recovers from the kill of one connection's process, which ends all of them", async () => {
    const url = await server.freshDatabase();
    const clients = [await connected(url), await connected(url)];
    const lost = clients.map((client) => once(client, "error"));
    await clients[0]!.query("create table kept as select 1 as x");
    assert.equal(await server.killBackends({ how: "kill" }), 2);
    await Promise.all(lost);
    const next = await connectedAtLast(url);
    assert.deepEqual((await next.query("select x from kept")).rows, [{ x: 1 }]);
    await next.end();
  });

  for (const end of ["a kill", "an end without a goodbye"] as const) {
    it(`leaves no server and no folder behind ${end} of the process that started it`, async () => {
      const program = `
        import { startPostgres } from ${JSON.stringify(new URL("./throw-away-postgres.ts", import.meta.url).href)};
        const server = await startPostgres({ fsync: false });
        process.stdout.write(JSON.stringify([server.url, server.dataFolder]) + "\\n");
        ${end === "a kill" ? "setInterval(() => undefined, 1000);" : ""}`;
      const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: ["ignore", "pipe", "inherit"] });
      const [text] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
      const [url, dataFolder] = JSON.parse(text) as [string, string];
      if (end === "a kill") {
        const client = await connected(url);
        const lost = once(client, "error");
        child.kill("SIGKILL");
        await lost;
      }
      await until(() => !existsSync(dirname(dataFolder)));
      await assert.rejects(connected(url), { code: "ECONNREFUSED" });
    });
  }
});

it("says why there is no server", () => {
  const program = `
    import { whyNoPostgres } from ${JSON.stringify(new URL("./throw-away-postgres.ts", import.meta.url).href)};
    process.stdout.write(whyNoPostgres() ?? "there is one");`;
  const told = execFileSync(process.execPath, ["--input-type=module", "--eval", program], {
    env: { ...process.env, OSTINATO_POSTGRES_BINARIES: "/nowhere" },
    encoding: "utf8",
  });
  assert.match(told, /no PostgreSQL server is installed here \(looked in \/nowhere\)/);
});

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

async function connectedAtLast(url: string): Promise<pg.Client> {
  for (;;) {
    try {
      return await connected(url);
    } catch (error) {
      // "the database system is in recovery mode", and what a client sees of a server that is just about to be.
      if (!["57P03", "57P02", "ECONNRESET"].includes((error as { code?: string }).code ?? "ECONNRESET")) throw error;
      await pause(20);
    }
  }
}

/** What another process does, nobody signals to us. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(20);
}
