// The commands over a real file, one story for each.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { EXIT, PipeClosedError } from "@ostinato/cli";
import { openTaskHub, orchestrator } from "ostinato";
import { add, approval, chain, folderFor, openHub, populate, until } from "./programs.ts";
import { inProcess, jsonLines } from "./ostinato.ts";

/** A file with an instance in each state, which nobody holds any more. */
async function populated(t: TestContext): Promise<string> {
  const url = `sqlite:${join(await folderFor(t), "hub.db")}`;
  const { hub, close } = await openHub(t, url);
  await populate(hub);
  await close();
  return url;
}

describe("looking", () => {
  it("list shows instances in order of creation, filtered by all that is said", async (t) => {
    const url = await populated(t);
    const ids = async (...args: string[]): Promise<unknown[]> =>
      jsonLines(await inProcess(["list", "--url", url, "--json", ...args])).map(({ id }) => id);
    assert.deepEqual((await ids()).sort(), [
      "again",
      "asking",
      "broken",
      "done",
      "later",
      "paused",
      "the-child",
      "the-parent",
      "unbegun",
      "unserved",
    ]);
    assert.deepEqual(await ids("--status", "failed,suspended"), ["broken", "paused"]);
    assert.deepEqual(await ids("--name", "approval", "--parent", "the-parent"), ["the-child"]);
    assert.deepEqual(await ids("--tag", "team=it", "--tag", "order.id=17"), ["asking"]);
    assert.deepEqual((await ids("--prefix", "the-")).sort(), ["the-child", "the-parent"]);
    assert.deepEqual(await ids("--created-before", "1h"), []);
    assert.deepEqual(await ids("--completed-after", "1h"), ["done", "broken"]);
    assert.deepEqual(await ids("--stalled"), []);
    assert.equal((await ids("--limit", "3")).length, 3);
    assert.equal((await ids("--limit", "0")).length, 10);
    const all = await ids();
    assert.deepEqual(await ids("--newest"), all.toReversed());
    assert.deepEqual(await ids("--newest", "--limit", "2"), all.slice(-2).reverse());

    const table = await inProcess(["list", "--url", url, "--limit", "2"]);
    assert.match(table.out, /^ID +ORCHESTRATOR +STATUS +CREATED +LAST UPDATE +NOTE\ndone +chain +COMPLETED /);
    assert.equal(table.out.split("\n").length, 4);
    assert.match(table.err, /more than 2/);
    const none = await inProcess(["list", "--url", url, "--prefix", "nobody"]);
    assert.deepEqual([none.exitCode, none.out, none.err], [EXIT.ok, "", "There are no such instances.\n"]);
  });

  it("show tells all of an instance; its payloads only when asked", async (t) => {
    const url = await populated(t);
    const quiet = await inProcess(["show", "asking", "--url", url]);
    assert.match(quiet.out, /asking {2}RUNNING\n/);
    assert.match(quiet.out, /waits for +external event 'approved'\n/);
    assert.match(quiet.out, /tag +order.id=17/);
    assert.doesNotMatch(quiet.out, /s3cret/);
    assert.match((await inProcess(["show", "asking", "--url", url, "--payloads"])).out, /input +"s3cret"/);

    const [shape] = jsonLines(await inProcess(["show", "done", "--url", url, "--json", "--payloads"]));
    assert.deepEqual(Object.keys(shape ?? {}), [
      "id",
      "name",
      "status",
      "executionId",
      "createdAt",
      "startedAt",
      "lastUpdatedAt",
      "completedAt",
      "tags",
      "input",
      "output",
      "waitingFor",
      "awaitedEvents",
    ]);
    assert.deepEqual([shape?.["status"], shape?.["input"], shape?.["output"], shape?.["tags"]], ["COMPLETED", 40, 42, { team: "it" }]);
    const [open] = jsonLines(await inProcess(["show", "unserved", "--url", url, "--json"]));
    const { activities, activityCount } = open?.["outstanding"] as {
      activities: { name: string; isOut: boolean }[];
      activityCount: number;
    };
    assert.deepEqual([activityCount, activities[0]?.name, activities[0]?.isOut], [1, "nowhere", false]);
  });

  it("history tells what happened; with --json every event on a line", async (t) => {
    const url = await populated(t);
    const { out } = await inProcess(["history", "done", "--url", url]);
    assert.match(out, /turn 1\n/);
    assert.match(out, /calls activity 'add' \(#1\) -> completed after .*, turn 2\n/);
    assert.match(out, /COMPLETED after /);
    const events = jsonLines(await inProcess(["history", "done", "--url", url, "--json"]));
    assert.deepEqual(
      events.map(({ kind }) => kind),
      [
        "OrchestratorStarted",
        "ExecutionStarted",
        "TaskScheduled",
        "OrchestratorStarted",
        "TaskCompleted",
        "TaskScheduled",
        "OrchestratorStarted",
        "TaskCompleted",
        "ExecutionCompleted",
      ],
    );
    assert.ok(events.every((event) => !Number.isNaN(Date.parse(String(event["timestamp"])))));
    assert.ok(events.every((event) => !("input" in event) && !("result" in event)));
    const whole = jsonLines(await inProcess(["history", "done", "--url", url, "--json", "--payloads"]));
    assert.deepEqual(whole[2]?.["input"], { a: 40, b: 1 });
    assert.equal(whole.at(-1)?.["result"], 42);
  });

  it("O1 explain says why each of them waits", async (t) => {
    const url = await populated(t);
    const explained = async (id: string): Promise<string> => (await inProcess(["explain", id, "--url", url])).out;
    assert.match(await explained("done"), /it waits for nothing/);
    assert.match(await explained("broken"), /TypeError: no: it is closed/);
    assert.match(await explained("asking"), /external event 'approved'/);
    assert.match(await explained("again"), /set when activity 'refuse' \(#1\) had failed/);
    assert.match(await explained("the-parent"), /instance 'the-child'\n[^]*external event 'approved'/);
    assert.match(await explained("unserved"), /activity 'nowhere' \(#1\) waits for a worker; no process has/);
    assert.match(await explained("later"), /started for 2999-01-01/);
    assert.match(await explained("unbegun"), /nobody has begun to run it/);
    assert.match(await explained("paused"), /suspended: the bank is closed/);
    const [shape] = jsonLines(await inProcess(["explain", "the-parent", "--url", url, "--json"]));
    const [reason] = shape?.["reasons"] as { kind: string; child: { id: string; reasons: { kind: string }[] } }[];
    assert.deepEqual(
      [reason?.kind, reason?.child.id, reason?.child.reasons.map(({ kind }) => kind)],
      ["child", "the-child", ["event", "timer"]],
    );
  });

  it("O1 a stalled instance is found by list, and explain says what differs and what helps", async (t) => {
    const url = `sqlite:${join(await folderFor(t), "hub.db")}`;
    const first = await openHub(t, url);
    await first.hub.start(approval, "x", { instanceId: "asking" });
    await until(first.hub, "asking", "external event");
    await first.close();
    const changed = orchestrator("approval", async (ctx) => await ctx.callActivity(add, { a: 1, b: 2 }));
    const hub = await openTaskHub(url, { log: { level: "silent" } });
    const worker = await hub.startWorker({ orchestrators: [changed], activities: [add] });
    await hub.instance("asking").raiseEvent("approved", { by: "Ada" });
    await until(hub, "asking", "fitting code");
    await worker.stop();
    await hub.close();
    assert.match((await inProcess(["list", "--stalled", "--url", url])).out, /asking +approval +RUNNING \(stalled\)/);
    const { out } = await inProcess(["explain", "asking", "--url", url]);
    assert.match(
      out,
      /stalls \(non-determinism\): [^]*'add'[^]*what helps: start a worker whose code makes the calls that the history has/,
    );
    assert.match(out, /It is tried again at /);
  });

  it("SEC12 no command shows a payload that nobody asked for", async (t) => {
    const url = await populated(t);
    const secret = async (...args: string[]): Promise<boolean> => {
      const { out, err } = await inProcess([...args, "--url", url]);
      return (out + err).includes("s3cret");
    };
    for (const command of [
      ["list"],
      ["show", "asking"],
      ["history", "asking"],
      ["explain", "asking"],
      ["sizes"],
      ["raise", "asking", "e", "--data", '"s3cret"'],
    ])
      for (const form of [[], ["--json"]]) assert.equal(await secret(...command, ...form), false, [...command, ...form].join(" "));
    for (const command of [["list"], ["show", "asking"], ["history", "asking"]])
      assert.equal(await secret(...command, "--json", "--payloads"), true, command.join(" "));
  });

  it("whoever reads a long list may leave in the middle", async (t) => {
    const url = await populated(t);
    const { exitCode, err } = await inProcess(["list", "--url", url, "--json"], {
      out: async () => {
        throw new PipeClosedError();
      },
    });
    assert.deepEqual([exitCode, err], [EXIT.ok, ""]);
  });
});

describe("operating", () => {
  it("raise puts an event into the inbox; the instance goes on when a worker starts", async (t) => {
    const url = await populated(t);
    const { exitCode, out, err } = await inProcess(["raise", "asking", "approved", "--url", url, "--data", '{"by":"Ada"}']);
    assert.deepEqual([exitCode, out], [EXIT.ok, "Raised 'approved' at 'asking': it waits for it.\n"]);
    assert.match(err, /goes on when one starts/);
    const input = async (): Promise<string> => '{"by":"Bo"}';
    const piped = await inProcess(["raise", "the-child", "approved", "--url", url, "--data-file", "-", "--json"], { input });
    assert.deepEqual(jsonLines(piped), [{ id: "the-child", event: "approved", isAwaited: true }]);
    const { hub } = await openHub(t, url);
    assert.equal(await hub.instance("asking").result({ timeout: "30s" }), "approved by Ada");
    assert.equal(await hub.instance("the-parent").result({ timeout: "30s" }), "approved by Bo");
  });

  it("suspend, resume and terminate do what they say, and say when there was nothing to do", async (t) => {
    const url = await populated(t);
    const run = async (...args: string[]) => inProcess([...args, "--url", url]);
    assert.match((await run("suspend", "asking", "--reason", "a holiday")).out, /^Suspended 'asking'/);
    assert.match((await run("explain", "asking")).out, /suspended: a holiday/);
    assert.match((await run("suspend", "asking")).out, /suspended already/);
    assert.match((await run("resume", "asking")).out, /^Resumed/);
    assert.match((await run("resume", "asking")).out, /is not suspended/);
    assert.deepEqual(jsonLines(await run("terminate", "the-parent", "--recursive", "--output", '"enough"', "--json")), [
      { id: "the-parent", status: "TERMINATED", isRecursive: true, stillOpen: [] },
    ]);
    assert.match((await run("show", "the-child", "--payloads")).out, /TERMINATED[^]*output +"enough"/);
  });

  it("rewind and restart give finished instances another life", async (t) => {
    const url = await populated(t);
    const run = async (...args: string[]) => inProcess([...args, "--url", url]);
    assert.equal((await run("rewind", "broken", "--reason", "open again")).exitCode, EXIT.ok);
    assert.equal((await run("rewind", "done")).exitCode, EXIT.refused);
    assert.equal((await run("restart", "asking")).exitCode, EXIT.refused);
    assert.match((await run("restart", "done", "--new-id", "done-again")).out, /Started 'done-again' from 'done'/);
    assert.match((await run("restart", "done")).out, /Restarted 'done'/);
    const { hub } = await openHub(t, url);
    assert.deepEqual(await Promise.all(["done", "done-again"].map((id) => hub.instance(id).result({ timeout: "30s" }))), [42, 42]);
  });

  it("purge removes what has ended: by id, or of a filter after it was confirmed", async (t) => {
    const url = await populated(t);
    const run = async (args: readonly string[], more = {}) => inProcess(["purge", ...args, "--url", url], more);
    assert.equal((await run([])).exitCode, EXIT.usage);
    assert.equal((await run(["done", "--status", "failed"])).exitCode, EXIT.usage);
    assert.equal((await run(["asking"])).exitCode, EXIT.refused);
    assert.equal((await run(["nobody"])).exitCode, EXIT.notFound);
    assert.equal((await run(["--status", "running"])).exitCode, EXIT.usage);
    assert.equal((await run(["--older-than", "30d", "--dry-run"])).out, "0 instances would be purged.\n");
    assert.equal((await run(["--older-than", "0s", "--dry-run"])).out, "2 instances would be purged.\n");
    assert.equal((await run(["--older-than", "0s"])).exitCode, EXIT.usage, "nobody can be asked");
    const questions: string[] = [];
    const answering = (answer: string) => ({ ask: async (question: string) => (questions.push(question), answer) });
    assert.equal((await run(["--status", "failed", "--older-than", "0s"], answering("n"))).exitCode, EXIT.no);
    assert.deepEqual(questions, ["Purge 1 instance, with their histories? [y/N] "]);
    assert.equal((await run(["--status", "failed", "--older-than", "0s"], answering("y"))).out, "Purged 1 instance.\n");
    assert.deepEqual(jsonLines(await run(["done", "--json"])), [{ deletedCount: 1, isComplete: true }]);
    assert.equal((await inProcess(["show", "done", "--url", url])).exitCode, EXIT.notFound);
  });
});

describe("looking after the file", () => {
  it("a backup is written, and restored elsewhere", async (t) => {
    const url = await populated(t);
    const folder = await folderFor(t);
    const copy = join(folder, "copy.db");
    assert.match((await inProcess(["backup", copy, "--url", url])).out, /^Wrote /);
    assert.equal((await inProcess(["backup", copy, "--url", url])).exitCode, EXIT.refused);
    const elsewhere = `sqlite:${join(folder, "elsewhere.db")}`;
    assert.equal((await inProcess(["restore", copy, "--url", elsewhere])).exitCode, EXIT.ok);
    assert.equal(jsonLines(await inProcess(["list", "--url", elsewhere, "--json"])).length, 10);
    assert.equal((await inProcess(["restore", copy, "--url", elsewhere])).exitCode, EXIT.refused);
  });

  it("integrity finds nothing in a sound file; sizes count what is in it", async (t) => {
    const url = await populated(t);
    assert.deepEqual(await inProcess(["integrity", "--url", url]), { exitCode: EXIT.ok, out: "The file is sound.\n", err: "" });
    const [sizes] = jsonLines(await inProcess(["sizes", "--url", url, "--json"]));
    assert.deepEqual(sizes?.["instances"], { PENDING: 2, RUNNING: 5, SUSPENDED: 1, COMPLETED: 1, FAILED: 1, TERMINATED: 0 });
    assert.match((await inProcess(["sizes", "--url", url])).out, /^file +[\d.]+ KiB[^]*instances +10: /);
  });
});

describe("developing", () => {
  it("check tells which open instances the code would stall, by its exit code too", async (t) => {
    const url = await populated(t);
    const programs = join(import.meta.dirname, "programs.ts");
    const check = async (...args: string[]) => inProcess(["check", "--url", url, ...args]);
    const unregistered = await check("--module", programs);
    assert.equal(unregistered.exitCode, EXIT.no);
    assert.match(unregistered.out, /not-registered: instance 'unbegun'/);
    const folder = await folderFor(t);
    const changed = join(folder, "changed.mjs");
    const ostinato = import.meta.resolve("ostinato");
    await writeFile(
      changed,
      `import { orchestrator } from ${JSON.stringify(ostinato)};
       export const approval = orchestrator("approval", async (ctx) => { await ctx.callActivity("something", 1); });
       export const unknown = orchestrator("unknown", async () => 1);`,
    );
    const [report] = jsonLines(await check("--module", changed, "--json"));
    const { differences, ok } = report as unknown as { ok: boolean; differences: { instance: { id: string } }[] };
    assert.equal(ok, false);
    assert.deepEqual(differences.map(({ instance }) => instance.id).sort(), ["asking", "paused", "the-child"]);
    assert.equal((await inProcess(["terminate", "unbegun", "--url", url])).exitCode, EXIT.ok);
    assert.equal((await inProcess(["check", "--against", url, "--module", programs])).exitCode, EXIT.ok);
    assert.equal((await check("--module", join(folder, "none.mjs"))).exitCode, EXIT.usage);
    assert.equal((await check()).exitCode, EXIT.usage);
  });

  it("export writes a file for each instance", async (t) => {
    const url = await populated(t);
    const folder = join(await folderFor(t), "histories");
    assert.match((await inProcess(["export", folder, "--url", url, "--format", "json"])).out, /^Wrote 2 histories to /);
    assert.equal((await readdir(folder)).filter((name) => name.endsWith(".json")).length, 2);
    assert.equal((await inProcess(["export", folder, "--url", url, "--format", "xml"])).exitCode, EXIT.usage);
  });

  it("hubOptions of a module are what the hub is opened with: a codec, so that events can be read", async (t) => {
    const folder = await folderFor(t);
    const url = `sqlite:${join(folder, "hub.db")}`;
    const module = join(folder, "options.mjs");
    await writeFile(
      module,
      `export const hubOptions = { codec: { encode: (text) => "sealed:" + text, decode: (text) => text.slice("sealed:".length) } };`,
    );
    const { hubOptions } = (await import(module)) as { hubOptions: Parameters<typeof openTaskHub>[1] };
    const first = await openTaskHub(url, hubOptions);
    await first.start(approval, "readable", { instanceId: "secret" });
    await first.close();
    assert.match((await inProcess(["show", "secret", "--url", url, "--payloads"])).out, /input +\{"unreadable":/);
    const options = ["--url", url, "--hub-options", module];
    assert.match((await inProcess(["show", "secret", "--payloads", ...options])).out, /input +"readable"/);
    assert.equal((await inProcess(["raise", "secret", "approved", "--data", '{"by":"Ada"}', ...options])).exitCode, EXIT.ok);
    const hub = await openTaskHub(url, hubOptions);
    const worker = await hub.startWorker({ orchestrators: [approval, chain], activities: [] });
    assert.equal(await hub.instance("secret").result({ timeout: "30s" }), "approved by Ada");
    await worker.stop();
    await hub.close();
  });
});

describe("what cannot be", () => {
  it("each has its exit code, a message on standard error, and nothing on standard output", async (t) => {
    const url = await populated(t);
    const folder = await folderFor(t);
    const nowhere = `sqlite:${join(folder, "mistyped.db")}`;
    const noHub = join(folder, "text.db");
    await writeFile(noHub, "not a database");
    const cases: [readonly string[], number, RegExp][] = [
      [["list"], EXIT.usage, /--url sqlite:<file> or --url postgres:.*, or set OSTINATO_URL/],
      [["list", "--url", "memory:"], EXIT.usage, /inside of its process/],
      [["list", "--url", "orders.db"], EXIT.usage, /sqlite:<file>/],
      [["list", "--url", "postgres://h/db"], EXIT.unreachable, /PostgreSQL/],
      [["list", "--url", nowhere], EXIT.unreachable, /does not exist/],
      [["raise", "x", "e", "--url", nowhere], EXIT.unreachable, /does not exist/],
      [["list", "--url", `sqlite:${noHub}`], EXIT.unreachable, /no SQLite database/],
      [["list", "--url", url, "--status", "lost"], EXIT.usage, /no status 'lost'/],
      [["list", "--url", url, "--created-after", "yesterday"], EXIT.usage, /takes a time/],
      [["list", "--url", url, "--tag", "team"], EXIT.usage, /name=value/],
      [["list", "--url", url, "--nonsense"], EXIT.usage, /unknown option '--nonsense'/],
      [["lst", "--url", url], EXIT.usage, /Did you mean list/],
      [["show", "--url", url], EXIT.usage, /missing required argument 'id'/],
      [["show", "no\u202ebody", "--url", url], EXIT.notFound, /no\\u\{202e\}body/],
      [["show", "no\u001b[2Jbody", "--url", url], EXIT.usage, /control characters/],
      [["explain", "nobody", "--url", url], EXIT.notFound, /no instance 'nobody'/],
      [["raise", "nobody", "e", "--url", url], EXIT.notFound, /no instance/],
      [["raise", "done", "e", "--url", url], EXIT.refused, /has ended/],
      [["raise", "asking", "e", "--url", url, "--data", "yes"], EXIT.usage, /not JSON/],
      [["raise", "asking", "e", "--url", url, "--data", "1", "--data-file", "x"], EXIT.usage, /not both/],
      [["terminate", "done", "--url", url], EXIT.refused, /has ended already/],
      [["suspend", "broken", "--url", url], EXIT.refused, /has ended/],
    ];
    for (const [args, exitCode, message] of cases) {
      const ended = await inProcess(args);
      assert.deepEqual([ended.exitCode, ended.out], [exitCode, ""], args.join(" "));
      assert.match(ended.err, message);
      assert.doesNotMatch(ended.err, /[\u0000-\u0009\u000b-\u001f]/);
    }
    assert.equal(existsSync(join(folder, "mistyped.db")), false);
    const json = await inProcess(["show", "nobody", "--url", url, "--json"]);
    assert.equal((JSON.parse(json.err) as { error: { code: string } }).error.code, "INSTANCE_NOT_FOUND");
  });
});
