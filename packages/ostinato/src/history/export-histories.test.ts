// Stories of exports: to a folder and back, in bounded memory, broken off and gone on with.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { activity, orchestrator } from "../authoring/define.ts";
import type { HistoryFormatError } from "../contract/errors.ts";
import { openTaskHub } from "../hub/open-task-hub.ts";
import { createTestHub, type TestHub } from "../testing/test-hub.ts";
import type { HistoryDocument } from "./document.ts";
import type { ExportProgress } from "./export-histories.ts";
import { historyFiles, readHistories } from "./history-files.ts";
import { assertReplays, replay } from "./replay.ts";

const double = activity("double", async (ctx, n: number) => n * 2);
const twice = orchestrator("twice", async (ctx, n: number) => await ctx.callActivity(double, await ctx.callActivity(double, n)));
const waits = orchestrator("waits", async (ctx) => await ctx.waitForExternalEvent("never"));
const programs = { orchestrators: [twice, waits], activities: [double] };

const root = mkdtempSync(join(tmpdir(), "ostinato-histories-"));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const folderOf = (): string => join(root, `${++folders}`, "made", "when needed");

async function hubWith(count: number): Promise<TestHub> {
  const hub = await createTestHub(programs);
  for (let n = 0; n < count; n++) await (await hub.start(twice, n, { instanceId: `i-${n}` })).result();
  return hub;
}

async function all(folder: string): Promise<HistoryDocument[]> {
  const documents: HistoryDocument[] = [];
  for await (const document of readHistories(folder)) documents.push(document);
  return documents;
}

describe("an export", () => {
  for (const format of ["json", "jsonl"] as const) {
    test(`to a folder comes back whole, and replays, as ${format}`, async () => {
      const hub = await createTestHub({ ...programs, seed: 7 });
      const ids = ["plain", "../../etc/passwd", "CON", "a:b|c?*", "ünïcödé 🎹", "x".repeat(256)];
      for (const instanceId of ids) await (await hub.start(twice, 3, { instanceId, tags: { shop: "north" } })).result();
      await hub.start(waits);
      const folder = folderOf();
      assert.deepEqual(await hub.exportHistories(historyFiles(folder), { format }), { exported: ids.length });
      for (const name of readdirSync(folder)) assert.match(name, format === "json" ? /^[0-9a-f]{64}\.json$/ : /^[0-9a-f]{64}\.jsonl\.gz$/);
      const documents = await all(folder);
      assert.deepEqual(documents.map(({ instance }) => instance.id).sort(), [...ids].sort());
      for (const { instance, events, payloads } of documents) {
        assert.deepEqual([instance.status, instance.name, instance.tags, payloads], ["COMPLETED", "twice", { shop: "north" }, "kept"]);
        assert.deepEqual(events, await hub.instance(instance.id).history());
      }
      await assertReplays(readHistories(folder), { orchestrators: [twice] });
      await hub.exportHistories(historyFiles(folder), { format });
      assert.equal(readdirSync(folder).length, ids.length, "exporting again writes the same files");
      await hub.close();
    });
  }

  test("takes open instances when it is told so, and leaves payloads out when it is told so", async () => {
    const hub = await hubWith(1);
    await (await hub.start(waits, undefined, { instanceId: "open" })).waitForStart();
    const folder = folderOf();
    await hub.exportHistories(historyFiles(folder), { query: { status: ["RUNNING", "COMPLETED"] }, payloads: "omit", format: "json" });
    assert.equal(readdirSync(folder).length, 2);
    const report = await replay(readHistories(folder), programs);
    assert.equal(report.failedToRun.length, 2);
    const open = (await all(folder)).find(({ instance }) => instance.id === "open");
    assert.deepEqual([open?.instance.status, open?.payloads], ["RUNNING", "omitted"]);
    await hub.close();
  });

  test("another life of the same id gets a file of its own", async () => {
    const hub = await hubWith(1);
    const folder = folderOf();
    await hub.exportHistories(historyFiles(folder));
    await hub.instance("i-0").purge();
    await hub.clock.advance("1s");
    await (await hub.start(twice, 5, { instanceId: "i-0" })).result();
    await hub.exportHistories(historyFiles(folder));
    assert.equal(readdirSync(folder).length, 2);
    await hub.close();
  });

  test("of 1,000 instances holds a page of them and tells how far it is", async () => {
    const hub = await hubWith(1_000);
    const progress: ExportProgress[] = [];
    let held = 0;
    let most = 0;
    let bytes = 0;
    const writer = {
      async write(_name: string, content: Uint8Array): Promise<void> {
        most = Math.max(most, ++held);
        await Promise.resolve();
        bytes += content.length;
        held -= 1;
      },
    };
    const { exported } = await hub.exportHistories(writer, { pageSize: 150, onProgress: (now) => progress.push(now) });
    assert.equal(exported, 1_000);
    assert.equal(most, 1, "one history at a time");
    assert.ok(bytes > 100_000);
    assert.deepEqual(
      progress.map((each) => each.exported),
      [150, 300, 450, 600, 750, 900, 1_000],
    );
    assert.ok(progress.slice(0, -1).every(({ cursor }) => cursor !== undefined));
    assert.equal(progress.at(-1)?.cursor, undefined);
    await hub.close();
  });

  test("that is broken off goes on from its cursor, and nothing is missing or twice", async () => {
    const hub = await hubWith(25);
    const folder = folderOf();
    const stop = new AbortController();
    let reached: ExportProgress | undefined;
    const first = hub.exportHistories(historyFiles(folder), {
      pageSize: 10,
      signal: stop.signal,
      onProgress(now) {
        reached = now;
        stop.abort(new Error("enough for today"));
      },
    });
    await assert.rejects(first, /enough for today/);
    assert.equal(readdirSync(folder).length, 10);
    assert.ok(reached?.cursor);
    const rest = await hub.exportHistories(historyFiles(folder), { pageSize: 10, cursor: reached.cursor });
    assert.equal(rest.exported, 15);
    assert.equal(new Set((await all(folder)).map(({ instance }) => instance.id)).size, 25);
    await hub.close();
  });

  test("a writer that fails ends it with its error, and a file is there whole or not at all", async () => {
    const hub = await hubWith(3);
    let writes = 0;
    const full = { write: async () => (++writes === 2 ? Promise.reject(new Error("disk full")) : undefined) };
    await assert.rejects(hub.exportHistories(full), /disk full/);
    const folder = folderOf();
    await hub.exportHistories(historyFiles(folder));
    assert.ok(readdirSync(folder).every((name) => !name.includes("unfinished")));
    await assert.rejects(hub.exportHistories({ write: async () => undefined }, { format: "xml" as "json" }), { code: "INVALID_ARGUMENT" });
    await hub.close();
  });

  test("from a SQLite file, opened to read only beside its owner", async () => {
    const path = join(root, "app.db");
    const owner = await openTaskHub(`sqlite:${path}`, { log: { level: "error" } });
    const worker = await owner.startWorker(programs);
    for (let n = 0; n < 5; n++) await (await owner.start(twice, n)).result({ timeout: "30s" });
    const reader = await openTaskHub(`sqlite:${path}`, { readOnly: true });
    const folder = folderOf();
    assert.equal((await reader.exportHistories(historyFiles(folder))).exported, 5);
    await assertReplays(readHistories(folder), { orchestrators: [twice] });
    await reader.close();
    await worker.stop();
    await owner.close();
  });
});

describe("reading back", () => {
  test("names the file that is damaged; told of it, it goes on with the others", async () => {
    const hub = await hubWith(4);
    const folder = folderOf();
    await hub.exportHistories(historyFiles(folder));
    await hub.close();
    const [torn = "", turned = "", newer = ""] = readdirSync(folder).sort();
    truncateSync(join(folder, torn), 40);
    const bytes = readFileSync(join(folder, turned));
    bytes[bytes.length - 6]! ^= 0xff;
    writeFileSync(join(folder, turned), bytes);
    rmSync(join(folder, newer));
    writeFileSync(join(folder, "new.json"), '{"format":3}');
    writeFileSync(join(folder, "notes.txt"), "no history");
    await assert.rejects(all(folder), (error: HistoryFormatError) => error.code === "HISTORY_FORMAT" && error.message.includes(torn));
    const damaged: string[] = [];
    const read: string[] = [];
    for await (const { instance } of readHistories(folder, { onDamaged: ({ file }) => damaged.push(file) })) read.push(instance.id);
    assert.equal(read.length, 1);
    assert.deepEqual(damaged, [`${folder}/${torn}`, `${folder}/${turned}`, `${folder}/new.json`]);
  });

  test("a folder that is not there is no empty one", async () => {
    await assert.rejects(all(join(root, "nowhere")), { code: "INVALID_ARGUMENT", message: /There is no folder/ });
  });
});

test("an export from a hub with a codec holds decoded payloads, those of carried events too, and replays", async () => {
  const counts = orchestrator("counts", async (ctx, seen: string[]) => {
    const word = await ctx.waitForExternalEvent<string>("word");
    if (seen.length === 2) return [...seen, word];
    return ctx.continueAsNew([...seen, word]);
  });
  const codec = {
    encode: (text: string) => `secret:${[...text].reverse().join("")}`,
    decode: (text: string) => [...text.slice(7)].reverse().join(""),
  };
  const hub = await openTaskHub("memory:", { codec, log: { level: "error" } });
  const instance = await hub.start(counts, []);
  for (const word of ["one", "two", "three"]) await instance.raiseEvent("word", word);
  const worker = await hub.startWorker({ orchestrators: [counts] });
  try {
    assert.deepEqual(await instance.result({ timeout: "30s" }), ["one", "two", "three"]);
    const folder = folderOf();
    await hub.exportHistories(historyFiles(folder), { format: "json" });
    const [document] = await all(folder);
    const start = document?.events.find((event) => event.kind === "ExecutionStarted");
    assert.deepEqual(
      start?.carriedEvents?.map(({ input }) => input),
      ['"three"'],
    );
    assert.ok(!JSON.stringify(document).includes("secret:"));
    await assertReplays(readHistories(folder), { orchestrators: [counts] });
  } finally {
    await worker.stop();
    await hub.close();
  }
});
