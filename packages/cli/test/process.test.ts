// The command as a process: its exit codes, pipes, colours, and beside the process that holds the file.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT } from "@ostinato/cli";
import { openTaskHub } from "ostinato";
import { asProcess, jsonLines, started } from "./ostinato.ts";
import { approval, dwelling, folderFor, openHub, until } from "./programs.ts";

test("help and version are what a person expects of them", async (t) => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, "..", "package.json"), "utf8")) as { version: string };
  assert.deepEqual(await asProcess(t, ["--version"]), { exitCode: 0, out: `${version}\n`, err: "" });
  const help = await asProcess(t, ["--help"]);
  assert.deepEqual([help.exitCode, help.err], [0, ""]);
  assert.match(help.out, /^Usage: ostinato [^]*Examples:\n[^]*Exit codes:\n/);
  const nothing = await asProcess(t, []);
  assert.deepEqual([nothing.exitCode, nothing.out], [EXIT.usage, ""]);
  assert.match(nothing.err, /Usage: ostinato/);
});

test("beside the process that holds the file: looking works, and says what that process does; writing says who holds it", async (t) => {
  const url = `sqlite:${join(await folderFor(t), "hub.db")}`;
  const { hub } = await openHub(t, url);
  await hub.start(dwelling, undefined, { instanceId: "dwelling" });
  await hub.start(approval, "x", { instanceId: "asking" });
  await until(hub, "dwelling", "activity 'dwell'");
  await until(hub, "asking", "external event");
  const env = { OSTINATO_URL: url };

  const listed = await asProcess(t, ["list", "--json"], { env });
  assert.deepEqual([listed.exitCode, jsonLines(listed).map(({ id }) => id)], [EXIT.ok, ["dwelling", "asking"]]);
  const explained = await asProcess(t, ["explain", "dwelling"], { env });
  assert.match(explained.out, new RegExp(`activity 'dwell' \\(#1\\) is being run by process ${process.pid}\n`));
  const raised = await asProcess(t, ["raise", "asking", "approved"], { env });
  assert.deepEqual([raised.exitCode, raised.out], [EXIT.unreachable, ""]);
  assert.match(raised.err, new RegExp(`held by process ${process.pid}.*hub\\.instance\\("asking"\\)\\.raiseEvent\\("approved", data\\)`));
  const missing = await asProcess(t, ["raise", "nobody", "approved"], { env });
  assert.equal(missing.exitCode, EXIT.notFound, "an instance that is not there is said to be missing, whoever holds the file");
});

test("data comes through a pipe, and lists go through one that closes early", async (t) => {
  const url = `sqlite:${join(await folderFor(t), "hub.db")}`;
  const hub = await openTaskHub(url);
  for (let count = 0; count < 3_000; count++)
    await hub.start("waiting", undefined, { instanceId: `waiting-${count}`, tags: { padding: "x".repeat(200) } });
  await hub.close();
  const env = { OSTINATO_URL: url };
  const raised = await asProcess(t, ["raise", "waiting-0", "approved", "--data-file", "-", "--json"], { env, input: '{"by":"Ada"}' });
  assert.deepEqual([raised.exitCode, jsonLines(raised)], [EXIT.ok, [{ id: "waiting-0", event: "approved", isAwaited: false }]]);

  const whole = await asProcess(t, ["list", "--json", "--limit", "0"], { env });
  assert.equal(jsonLines(whole).length, 3_000);
  const reader = started(t, ["list", "--json", "--limit", "0"], env);
  let err = "";
  reader.stderr?.on("data", (text: Buffer) => (err += text.toString()));
  const closed = once(reader, "close");
  await once(reader.stdout!, "data");
  reader.stdout!.destroy();
  const [exitCode] = (await closed) as [number | null];
  assert.deepEqual([exitCode, err], [EXIT.ok, ""]);
});

test("a pipe gets no colours unless they are asked for, and NO_COLOR has the last word", async (t) => {
  const url = `sqlite:${join(await folderFor(t), "hub.db")}`;
  const hub = await openTaskHub(url);
  await hub.start("waiting", undefined, { instanceId: "waiting" });
  await hub.close();
  const colored = async (args: readonly string[], env: Readonly<Record<string, string>>): Promise<boolean> =>
    (await asProcess(t, ["list", "--url", url, ...args], { env })).out.includes("\u001b[");
  assert.deepEqual(
    [
      await colored([], {}),
      await colored([], { FORCE_COLOR: "1" }),
      await colored(["--no-color"], { FORCE_COLOR: "1" }),
      await colored([], { FORCE_COLOR: "1", NO_COLOR: "1" }),
      await colored(["--json"], { FORCE_COLOR: "1" }),
    ],
    [false, true, false, false, false],
  );
});
