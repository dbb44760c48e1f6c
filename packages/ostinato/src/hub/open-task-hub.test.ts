import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { activity, orchestrator } from "../authoring/define.ts";
import type { LogRecord } from "../platform/logger.ts";
import { openTaskHub } from "./open-task-hub.ts";

const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);
const greet = orchestrator("greet", async (ctx, name: string) => ctx.callActivity(hello, name));

/** Runs a program in a process of its own: whether and how the process ends is what is looked at. */
function run(body: string, environment: Record<string, string> = {}): { code: number | null; out: string; err: string } {
  const source = `
    import { activity, orchestrator } from ${JSON.stringify(new URL("../authoring/define.ts", import.meta.url).href)};
    import { openTaskHub } from ${JSON.stringify(new URL("./open-task-hub.ts", import.meta.url).href)};
    const hello = activity("hello", async (ctx, name: string) => "Hello " + name);
    const wait = orchestrator("wait", async (ctx) => ctx.waitForExternalEvent("go"));
    ${body}`;
  const child = spawnSync(process.execPath, ["--input-type=module-typescript", "--eval", source], {
    encoding: "utf8",
    timeout: 20_000,
    env: { ...process.env, ...environment },
  });
  return { code: child.status, out: child.stdout.trim(), err: child.stderr };
}

test("a hub in memory runs what it is given, and is closed once", async () => {
  const hub = await openTaskHub("memory:");
  const worker = await hub.startWorker({ orchestrators: [greet], activities: [hello] });
  const instance = await hub.start(greet, "Ada");
  assert.equal(await instance.result({ timeout: "10s" }), "Hello Ada!");
  assert.equal(hub.counters()["turnsCommitted"], 2);
  await worker.stop();
  await worker.stop();
  await hub.close();
  await hub.close();
  await assert.rejects(hub.start(greet, "Ada"), { code: "HUB_CLOSED" });
  await assert.rejects(instance.result(), { code: "HUB_CLOSED" });
  await assert.rejects(hub.startWorker({}), { code: "HUB_CLOSED" });
});

test("options that nobody reads, and words that mean nothing, are refused", async () => {
  const opened = (options: object): Promise<unknown> => openTaskHub("memory:", options);
  await assert.rejects(opened({ retentoin: "3d" }), { code: "INVALID_ARGUMENT", message: /openTaskHub has no option 'retentoin'/ });
  await assert.rejects(opened({ limits: { payloadbytes: 3 } }), { code: "INVALID_ARGUMENT", message: /limits has no option/ });
  await assert.rejects(opened({ unregistered: "ignore" }), { message: 'unregistered must be one of wait, fail; got "ignore".' });
  await assert.rejects(opened({ log: { level: "verbose" } }), { code: "INVALID_ARGUMENT" });
  await assert.rejects(opened({ sqliteBody: "worker" }), { code: "INVALID_ARGUMENT" });
});

test("closing a hub stops its workers and ends its waits", async () => {
  const hub = await openTaskHub("memory:");
  const wait = orchestrator("wait", async (ctx) => ctx.waitForExternalEvent("never"));
  await hub.startWorker({ orchestrators: [wait] });
  const waiting = (await hub.start(wait)).result();
  const refused = assert.rejects(waiting, { code: "HUB_CLOSED" });
  await hub.close();
  await refused;
});

test("a codec sees every payload on its way in and out, and nothing else does", async () => {
  const stored: string[] = [];
  const codec = {
    encode: async (text: string) => (stored.push(text), `sealed:${Buffer.from(text).toString("base64")}`),
    decode: (text: string) => {
      assert.ok(text.startsWith("sealed:"), `not sealed: ${text}`);
      return Buffer.from(text.slice(7), "base64").toString();
    },
  };
  const child = orchestrator("child", async (ctx, n: number) => n + 1);
  const parent = orchestrator("parent", async (ctx, name: string) => {
    ctx.setCustomStatus("under way");
    const said = await ctx.callActivity(hello, name);
    const number = await ctx.callSubOrchestrator(child, 1);
    const event = await ctx.waitForExternalEvent("event");
    return { said, number, event };
  });
  const hub = await openTaskHub("memory:", { codec });
  await hub.startWorker({ orchestrators: [parent, child], activities: [hello] });
  const instance = await hub.start(parent, "Ada");
  await instance.raiseEvent("event", { secret: 42 });
  assert.deepEqual(await instance.result({ timeout: "10s" }), { said: "Hello Ada!", number: 2, event: { secret: 42 } });
  const status = await instance.status();
  assert.deepEqual([status?.input, status?.customStatus], ["Ada", "under way"]);
  const events = await instance.history();
  assert.ok(events.some((event) => event.kind === "TaskCompleted" && event.result === '"Hello Ada!"'));
  assert.deepEqual(
    (await hub.query({ name: "child" })).map((each) => each.output),
    [2],
  );
  assert.ok(stored.includes('{"secret":42}'));
  await hub.close();
});

test("a hub in a file goes on where it was, and can be looked at meanwhile", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "ostinato-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const url = `sqlite:${join(folder, "orders.db")}`;
  const wait = orchestrator("wait", async (ctx) => [await ctx.callActivity(hello, "Ada"), await ctx.waitForExternalEvent("go")]);
  const first = await openTaskHub(url);
  await first.startWorker({ orchestrators: [wait], activities: [hello] });
  await (await first.start(wait, undefined, { instanceId: "one" })).waitForStart({ timeout: "10s" });
  await first.close();

  const second = await openTaskHub(url);
  await second.instance("one").raiseEvent("go", "went");
  const looking = await openTaskHub(url, { readOnly: true });
  assert.equal((await looking.instance("one").status())?.status, "RUNNING");
  await assert.rejects(looking.startWorker({}), { code: "UNSUPPORTED" });
  await assert.rejects(looking.start(wait), { code: "UNSUPPORTED" });
  await second.startWorker({ orchestrators: [wait], activities: [hello] });
  assert.deepEqual(await second.instance(wait, "one").result({ timeout: "10s" }), ["Hello Ada!", "went"]);
  assert.equal((await looking.instance("one").status())?.status, "COMPLETED");
  await looking.close();
  await second.close();
});

test("limits and options that can never work are refused", async () => {
  await assert.rejects(openTaskHub("memory:", { limits: { payloadBytes: 0 } }), { code: "INVALID_ARGUMENT" });
  const hub = await openTaskHub("memory:");
  await assert.rejects(hub.startWorker({ concurrency: { activities: 0 } }), /concurrency\.activities/);
  await assert.rejects(hub.startWorker({ warm: { bytes: -1 } }), /warm\.bytes/);
  await assert.rejects(
    hub.startWorker({ orchestrators: [greet, orchestrator("greet", async () => 1)] }),
    /Two different orchestrators are named 'greet'/,
  );
  await hub.close();
});

test("work that nobody serves is warned about once, and waits", async () => {
  const records: LogRecord[] = [];
  const hub = await openTaskHub("memory:", { log: { sink: (record) => records.push(record) } });
  const worker = await hub.startWorker({ orchestrators: [greet] });
  const instance = await hub.start(greet, "Ada");
  await hub.start(greet, "Grace");
  await instance.waitForStart({ timeout: "10s" });
  await worker.stop();
  await hub.startWorker({ orchestrators: [greet], activities: [hello] });
  assert.equal(await instance.result({ timeout: "10s" }), "Hello Ada!");
  assert.equal(records.filter((record) => record.message.includes("hello")).length, 1);
  await hub.close();
});

test("programs and activities do not run in the async context of the caller they serve", async () => {
  const request = new AsyncLocalStorage<string>();
  const look = activity("look", async () => request.getStore() ?? "none");
  const see = orchestrator("see", async (ctx) => [request.getStore() ?? "none", await ctx.callActivity(look)]);
  const hub = await openTaskHub("memory:");
  await hub.startWorker({ orchestrators: [see], activities: [look] });
  const seen = await request.run("request 1", async () => (await hub.start(see)).result({ timeout: "10s" }));
  assert.deepEqual(seen, ["none", "none"]);
  await hub.close();
});

test("a worker that stops lets finish what runs within the grace", async () => {
  let finish: (value: string) => void = () => undefined;
  let begun: () => void = () => undefined;
  const beginning = new Promise<void>((resolve) => (begun = resolve));
  const slow = activity("slow", () => new Promise<string>((resolve) => ((finish = resolve), begun())));
  const call = orchestrator("call", async (ctx) => ctx.callActivity(slow));
  const hub = await openTaskHub("memory:");
  const worker = await hub.startWorker({ orchestrators: [call], activities: [slow] });
  const instance = await hub.start(call);
  await beginning;
  const stopping = worker.stop();
  finish("in time");
  await stopping;
  await hub.startWorker({ orchestrators: [call], activities: [slow] });
  assert.equal(await instance.result({ timeout: "10s" }), "in time");
  await hub.close();
});

test("what has not finished within the grace is aborted, given back, and run again elsewhere", async () => {
  const seen: string[] = [];
  let begun: () => void = () => undefined;
  const beginning = new Promise<void>((resolve) => (begun = resolve));
  const slow = activity("slow", async (ctx) => {
    if (ctx.delivery > 1) return `delivery ${ctx.delivery}, attempt ${ctx.attempt}`;
    begun();
    await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => (seen.push(String(ctx.signal.reason)), resolve())));
    return "too late";
  });
  const call = orchestrator("call", async (ctx) => ctx.callActivity(slow));
  const hub = await openTaskHub("memory:");
  const worker = await hub.startWorker({ orchestrators: [call], activities: [slow] });
  const instance = await hub.start(call);
  await beginning;
  await worker.stop({ graceMs: 0 });
  assert.match(seen.join(), /AbortError: .*stopping/);
  await hub.startWorker({ orchestrators: [call], activities: [slow] });
  assert.equal(await instance.result({ timeout: "20s" }), "delivery 2, attempt 1");
  await hub.close();
});

test("an open hub alone lets the process end", () => {
  const { code, out } = run(`
    const hub = await openTaskHub("memory:");
    await hub.start("nobody");
    process.on("exit", () => console.log("ended"));
    setTimeout(() => console.log("still here"), 5_000).unref();`);
  assert.deepEqual([code, out], [0, "ended"]);
});

test("a started worker holds the process until it is stopped", () => {
  const { code, out } = run(`
    const hub = await openTaskHub("memory:");
    const worker = await hub.startWorker({ orchestrators: [wait] });
    setTimeout(() => { console.log("still here"); void worker.stop(); }, 50).unref();`);
  assert.deepEqual([code, out], [0, "still here"]);
});

test("a wait for a result holds the process until it ends", () => {
  const { code, out } = run(`
    const hub = await openTaskHub("memory:");
    const instance = await hub.start("nobody");
    setTimeout(() => void instance.terminate({ output: "enough" }), 50).unref();
    await instance.result().catch((error) => console.log(error.code, error.output));`);
  assert.deepEqual([code, out], [0, "ORCHESTRATION_TERMINATED enough"]);
});

test("the environment names the hub where nothing else does", () => {
  assert.match(run(`await openTaskHub();`).err, /OSTINATO_URL/);
  assert.match(run(`console.log((await openTaskHub()).counters());`, { OSTINATO_URL: "memory:" }).out, /\{/);
  assert.match(run(`await openTaskHub();`, { OSTINATO_URL: "dapr://x" }).err, /UNSUPPORTED/);
});

test("no error of user code ends the process", () => {
  const { code, out } = run(`
    const bad = activity("bad", () => { throw null; });
    const programs = {
      rejects: orchestrator("rejects", async (ctx) => { void Promise.reject(new Error("floating")); await ctx.callActivity(hello, "Ada"); return "survived"; }),
      late: orchestrator("late", async (ctx) => { void ctx.callActivity(bad).then(() => 1); await ctx.callActivity(hello, "Ada"); return "survived"; }),
      throwsNull: orchestrator("throwsNull", async () => { throw null; }),
      calls: orchestrator("calls", async (ctx) => ctx.callActivity(bad)),
      all: orchestrator("all", async (ctx) => Promise.all([ctx.callActivity(bad), ctx.callActivity(bad), ctx.callActivity(hello, "x")])),
    };
    const hub = await openTaskHub("memory:", { log: { level: "silent" } });
    const worker = await hub.startWorker({ orchestrators: Object.values(programs), activities: [hello, bad] });
    for (const program of Object.values(programs)) {
      const end = await (await hub.start(program)).result({ timeout: "10s" }).catch((error) => error.code);
      console.log(program.name, String(end));
    }
    await worker.stop();
    await hub.close();`);
  assert.equal(code, 0);
  assert.match(out, /throwsNull ORCHESTRATION_FAILED\ncalls ORCHESTRATION_FAILED\nall ORCHESTRATION_FAILED$/);
  assert.equal(out.split("\n").length, 5);
});

test("a rejection of the user's own ends the process as ever, worker or not", () => {
  const { code, err } = run(`
    const hub = await openTaskHub("memory:");
    await hub.startWorker({ orchestrators: [wait] });
    void Promise.reject(new RangeError("mine"));`);
  assert.equal(code, 1);
  assert.match(err, /RangeError: mine/);
});
