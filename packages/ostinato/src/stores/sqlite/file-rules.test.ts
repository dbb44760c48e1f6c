// The rules of the file: who may hold it, what is refused untouched, what survives a kill, a full disk and a failing one.

import assert from "node:assert/strict";
import { once } from "node:events";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { movableClock } from "../../conformance/store/movable-clock.ts";
import {
  activityOf,
  claimAll,
  claimOne,
  commitOf,
  done,
  historyOf,
  idsOf,
  messageTo,
  refused,
  START,
  startAndClaim,
  startOf,
  turnOf,
} from "../../conformance/store/stories.ts";
import type { Store } from "../../engine/store.ts";
import { FORMAT, MIGRATIONS } from "../sql/schema.ts";
import { holderOf, lockFile } from "./database-file.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { SqliteStoreOptions } from "./sqlite-store.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-file-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function opened(t: TestContext, options: SqliteStoreOptions): Promise<Store> {
  const store = openSqliteStore({ body: "inline", ...options });
  await store.open();
  t.after(() => store.close());
  return store;
}

const digest = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

/** A process that holds a file: opens it, says so, and starts and runs instances until it is killed. Each line it prints was acknowledged. */
function holder(path: string, body: string): { readonly process: ChildProcess; readonly lines: AsyncIterator<string> } {
  const program = `
    import { openSqliteStore } from ${JSON.stringify(new URL("./sqlite-store.ts", import.meta.url).href)};
    import { startOf, turnOf, recordOf, messageTo, activityOf } from ${JSON.stringify(new URL("../../conformance/store/stories.ts", import.meta.url).href)};
    const body = ${JSON.stringify(body)};
    // "auto" in its worst weather: the connection changes hands after every group.
    const store = openSqliteStore({ path: ${JSON.stringify(path)}, body, ...(body === "auto" ? { testing: { restless: true } } : {}) });
    await store.open();
    console.log("open");
    const run = async (lane) => {
      for (let i = 0; ; i++) {
        const id = process.pid + "-" + lane + "-" + i;
        const [start] = await store.commit([startOf(id, { keep: true, input: id })]);
        console.log("started " + id);
        let record = recordOf(id, { number: start.number, attempts: 1 });
        let messages = start.arrived;
        for (let turn = 1; turn <= 3; turn++) {
          const commit = turnOf(record, messages, { activities: [activityOf(record, turn)], messages: [messageTo(id, "m" + turn)] });
          const [result] = await store.commit([commit]);
          if (!result.ok) throw new Error(JSON.stringify(result));
          console.log("turn " + id + " " + turn);
          record = commit.record;
          messages = result.arrived;
        }
      }
    };
    if (process.argv[1] !== "idle") for (let lane = 0; lane < 8; lane++) run(lane);
    else setInterval(() => {}, 1 << 30);
  `;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program, body === "idle" ? "idle" : "busy"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { process: child, lines: linesOf(child)[Symbol.asyncIterator]() };
}

async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of child.stdout!.setEncoding("utf8")) {
    const lines = (rest + (chunk as string)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

function gone(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => (child.exitCode !== null || child.signalCode !== null ? resolve() : child.once("exit", () => resolve())));
}

describe("sqlite file", () => {
  it("files are readable by their owner alone", async (t) => {
    const folder = folderOf(t);
    const store = await opened(t, { path: join(folder, "hub.db"), body: "thread" });
    await done(store, startOf("a"));
    const names = readdirSync(folder).sort();
    assert.deepEqual(names.slice(0, 2), ["hub.db", "hub.db-lock"]);
    for (const name of names) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  });

  it("D9 a file that another process holds is refused, and its pid is named; it may be read beside", async (t) => {
    const path = join(folderOf(t), "hub.db");
    const other = holder(path, "thread");
    t.after(() => other.process.kill("SIGKILL"));
    let line = await other.lines.next();
    while (line.done !== true && !line.value.startsWith("turn")) line = await other.lines.next();
    assert.equal(line.done, false, "the other process has ended");
    for (const body of ["inline", "thread", "auto"] as const) {
      const store = openSqliteStore({ path, body });
      await assert.rejects(
        store.open(),
        (error: Error & { code: string }) => error.code === "FILE_LOCKED" && error.message.includes(`process ${other.process.pid}`),
      );
    }
    assert.deepEqual(holderOf(path), { pid: other.process.pid });
    const reader = await opened(t, { path, readOnly: true });
    const { items } = await reader.query({}, { size: 1 });
    assert.equal(items.length, 1);
    assert.ok((await historyOf(reader, items[0]!.record.id)).length > 0);
    await assert.rejects(reader.commit([startOf("x")]), { code: "UNSUPPORTED" });
    await assert.rejects(claimAll(reader), { code: "UNSUPPORTED" });
    other.process.kill("SIGKILL");
    await gone(other.process);
    assert.equal(holderOf(path), undefined);
    assert.equal(holderOf(join(dirname(path), "none.db")), undefined);
    const mine = await opened(t, { path });
    assert.deepEqual(holderOf(path), { pid: process.pid });
    await done(mine, startOf("x"));
  });

  it("D9 looking who holds a file keeps nobody from taking it", async (t) => {
    const path = join(folderOf(t), "hub.db");
    const looking = new Worker(
      `import(${JSON.stringify(new URL("./database-file.ts", import.meta.url).href)}).then(({ holderOf }) => {
        const { parentPort, workerData } = require("node:worker_threads");
        parentPort.postMessage("begun");
        for (;;) holderOf(workerData);
      });`,
      { eval: true, workerData: path },
    );
    try {
      await once(looking, "message");
      for (let times = 0; times < 500; times++) lockFile(path).release();
    } finally {
      await looking.terminate();
    }
  });

  it("what is no hub, damaged or of a later version is refused, and not a byte of it is changed", async (t) => {
    const folder = folderOf(t);
    const make = (name: string, fill: (path: string) => void): string => {
      const path = join(folder, name);
      fill(path);
      return path;
    };
    const hub = async (path: string): Promise<void> => {
      const store = openSqliteStore({ path, body: "inline" });
      await store.open();
      for (let i = 0; i < 50; i++) await done(store, startOf(`i${i}`));
      await store.close();
    };
    const newer = join(folder, "newer.db");
    const torn = join(folder, "torn.db");
    const damaged = join(folder, "damaged.db");
    await hub(newer);
    await hub(torn);
    await hub(damaged);
    const change = new DatabaseSync(newer);
    change.exec("pragma user_version = 999");
    change.close();
    writeFileSync(torn, readFileSync(torn).subarray(0, 8_192));
    const bytes = readFileSync(damaged);
    bytes.fill(0xaa, 100, 4_096);
    writeFileSync(damaged, bytes);
    const files = [
      newer,
      torn,
      damaged,
      make("text.db", (path) => writeFileSync(path, "not a database at all, but long enough to be taken for one".repeat(100))),
      make("short.db", (path) => writeFileSync(path, "x")),
      make("foreign.db", (path) => {
        const db = new DatabaseSync(path);
        db.exec("create table t(a); insert into t values(1)");
        db.close();
      }),
    ];
    for (const path of files) {
      const before = digest(path);
      for (const options of [{ body: "inline" }, { body: "thread" }, { body: "auto" }, { readOnly: true }] as const) {
        const store = openSqliteStore({ path, ...options });
        await assert.rejects(store.open(), { code: "STORE_FORMAT" }, path);
        assert.equal(digest(path), before, path);
      }
    }
  });

  it("an older format is brought up to date in one go, after a copy was put aside", async (t) => {
    const folder = folderOf(t);
    const path = join(folder, "hub.db");
    const first = openSqliteStore({ path, body: "inline" });
    await first.open();
    await done(first, startOf("a"));
    await first.close();
    const bad = [...MIGRATIONS, { format: FORMAT + 1, statements: "create table extra(a int); insert into nowhere values(1)" }];
    await assert.rejects(openSqliteStore({ path, body: "inline", testing: { migrations: bad } }).open(), { code: "STORE_FORMAT" });
    const good = [
      ...MIGRATIONS,
      { format: FORMAT + 1, statements: "create table extra(a int)" },
      { format: FORMAT + 2, statements: "insert into extra values(1)" },
    ];
    const upgraded = openSqliteStore({ path, body: "inline", testing: { migrations: good } });
    await upgraded.open();
    assert.equal((await claimOne(upgraded)).id, "a");
    await upgraded.close();
    const backup = join(folder, `hub.db.format-${FORMAT}.backup`);
    assert.equal(statSync(backup).mode & 0o777, 0o600);
    const kept = await opened(t, { path: backup });
    assert.equal((await kept.read("a"))?.record.id, "a");
    await assert.rejects(openSqliteStore({ path, body: "inline" }).open(), { code: "STORE_FORMAT" });
  });

  it("several hubs in one file do not see each other; the file is let go with the last of them", async (t) => {
    const path = join(folderOf(t), "hub.db");
    const one = openSqliteStore({ path, hub: "one", body: "inline" });
    const two = openSqliteStore({ path, hub: "two", body: "inline" });
    await Promise.all([one.open(), two.open()]);
    await assert.rejects(openSqliteStore({ path, hub: "three", body: "thread" }).open(), { code: "INVALID_ARGUMENT" });
    await done(one, startOf("a"));
    await done(two, startOf("a", { record: { executionId: "other" } }));
    assert.equal((await claimOne(one)).record.executionId, "a-1");
    assert.equal((await claimOne(two)).record.executionId, "other");
    assert.equal((await two.query({}, {})).items.length, 1);
    await one.close();
    await done(two, startOf("b"));
    await assert.rejects(one.read("a"), { code: "HUB_CLOSED" });
    await two.close();
    const again = await opened(t, { path, hub: "one", body: "thread" });
    assert.equal((await again.read("a"))?.record.executionId, "a-1");
    assert.equal(await again.read("b"), undefined);
  });

  it(
    "D1 I3 I4 H5 after a kill at any moment everything acknowledged is there, whole, and work goes on",
    { timeout: 120_000 },
    async (t) => {
      const path = join(folderOf(t), "hub.db");
      const acknowledged = new Map<string, number>();
      for (let round = 0; round < 3; round++) {
        const body = (["thread", "inline", "auto"] as const)[round]!;
        const child = holder(path, body);
        let count = 0;
        for (let line = await child.lines.next(); line.done !== true; line = await child.lines.next()) {
          const [what, id, turn] = line.value.split(" ");
          if (what === "started") acknowledged.set(id!, 0);
          if (what === "turn") acknowledged.set(id!, Number(turn));
          if (++count === 400 + round * 137) child.process.kill("SIGKILL");
        }
        await gone(child.process);

        const store = openSqliteStore({ path, body: "inline" });
        await store.open();
        for (const [id, turn] of acknowledged) {
          const read = await store.read(id);
          assert.ok(read !== undefined && read.record.turn >= turn, `${id} was acknowledged up to turn ${turn}`);
          assert.equal(read.payloads.input, id);
          assert.equal((await historyOf(store, id)).length, read.record.historyLength, id);
        }
        const { items } = await store.query({}, { size: 1_000 });
        const { instances, activities } = await claimAll(store, { instances: 1_000, activityCount: 5_000 });
        const missing = items.filter((item) => !instances.some((one) => one.id === item.record.id));
        assert.deepEqual(missing, []);
        assert.equal(
          activities.length,
          items.reduce((sum, item) => sum + item.record.turn, 0),
        );
        for (const claim of instances)
          assert.deepEqual(idsOf(claim.messages), [claim.record.turn === 0 ? `start:${claim.id}-1` : `m${claim.record.turn}`]);
        const { record, messages } = instances[0]!;
        const turn = record.turn + 1;
        await done(
          store,
          turnOf(record, messages, { messages: [messageTo(record.id, `m${turn}`)], activities: [activityOf(record, turn)] }),
        );
        await store.close();
        const check = new DatabaseSync(path);
        assert.equal(check.prepare("pragma integrity_check").get()?.["integrity_check"], "ok");
        check.close();
      }
    },
  );

  it("D4 when there is no room, what does not fit is refused alone; reads go on, and so does work when there is room", async (t) => {
    const path = join(folderOf(t), "hub.db");
    let room: number | undefined;
    const store = await opened(t, {
      path,
      testing: {
        beforeCommit(db) {
          if (room === undefined) return;
          const pages = Number(db.prepare("pragma page_count").get()?.["page_count"]);
          db.exec(`pragma max_page_count = ${pages + room}`);
          room = undefined;
        },
      },
    });
    const claim = await startAndClaim(store, "a");
    room = 60;
    await done(store, commitOf({ messages: [messageTo("a", "m")] }));
    const huge = "x".repeat(4_000_000);
    const results = await store.commit([turnOf(claim.record, claim.messages), startOf("big", { input: huge }), startOf("b")]);
    assert.deepEqual(
      results.map((result) => (result.ok ? "ok" : result.why)),
      ["ok", "failed", "ok"],
    );
    assert.match(JSON.stringify(results[1]), /full/);
    assert.equal(await store.read("big"), undefined);
    assert.equal((await store.read("a"))?.record.turn, 1);
    room = 1_000_000;
    await done(store, commitOf({ messages: [messageTo("a", "m2")] }));
    await done(store, startOf("big", { input: huge }));
  });

  it("D3 after a COMMIT that failed nothing is answered from that handle; leases are void, what was acknowledged is there", async (t) => {
    const path = join(folderOf(t), "hub.db");
    let failing = 0;
    const handles = new Set<DatabaseSync>();
    const store = await opened(t, {
      path,
      testing: {
        clock: movableClock(START),
        beforeCommit(db) {
          handles.add(db);
          if (failing > 0 && failing-- > 0) throw Object.assign(new Error("disk I/O error"), { errcode: 1_034 });
        },
      },
    });
    const claim = await startAndClaim(store, "a");
    failing = 1;
    const [turn, start] = await store.commit([turnOf(claim.record, claim.messages), startOf("b")]);
    assert.equal(handles.size, 2);
    assert.deepEqual([turn?.ok, start?.ok], [false, true]);
    assert.equal(await refused(store, turnOf(claim.record, claim.messages)), "fenced");
    const { instances } = await claimAll(store);
    assert.deepEqual(
      instances.map((one) => [one.id, one.held, idsOf(one.messages)]),
      [
        ["a", false, ["start:a-1"]],
        ["b", false, ["start:b-1"]],
      ],
    );
    failing = 1_000;
    const [lost] = await store.commit([startOf("c")]);
    assert.deepEqual([lost?.ok, lost?.ok === false && lost.why], [false, "failed"]);
    await assert.rejects(claimAll(store), { code: "STORE_UNAVAILABLE" });
    failing = 0;
    assert.equal(await store.read("c"), undefined);
    await done(store, startOf("c"));
    await done(store, commitOf({ messages: [messageTo("a", "m")] }));
  });

  it("D5 a damaged row spoils its own instance and no other", async (t) => {
    const path = join(folderOf(t), "hub.db");
    const store = openSqliteStore({ path, body: "inline" });
    await store.open();
    for (const id of ["a", "b"]) await done(store, startOf(id));
    const claim = (await claimAll(store)).instances[0]!;
    await done(store, turnOf(claim.record, claim.messages, { messages: [messageTo("a", "m")] }));
    await store.close();
    const db = new DatabaseSync(path);
    db.exec("update messages set body = 'x' where id = 'm'; update history set body = ',99;'");
    db.close();
    const after = await opened(t, { path });
    const { instances } = await claimAll(after);
    assert.deepEqual(instances.map((one) => [one.id, one.damage !== undefined, idsOf(one.messages)]).sort(), [
      ["a", true, []],
      ["b", false, ["start:b-1"]],
    ]);
    await assert.rejects(historyOf(after, "a"), { code: "STORE_FORMAT" });
  });

  it("the write-ahead log is carried over in steps and does not grow without end", async (t) => {
    const path = join(folderOf(t), "hub.db");
    const store = await opened(t, { path, walPages: 100 });
    for (let i = 0; i < 300; i++) await done(store, startOf(`i${i}`, { input: "x".repeat(10_000) }));
    assert.ok(statSync(`${path}-wal`).size < 4_000_000);
    assert.ok(statSync(path).size > 2_000_000);
  });
});
