// D5: whatever row of a file is damaged, its instance is named and set aside, the others go on, and the check finds it.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { activity, externalEvent, openTaskHub, orchestrator, type Hub, type LogRecord } from "ostinato";
import { nextLoopTurn } from "../src/platform/standstill.ts";

const hello = activity("hello", async (_ctx, name: string) => `Hello ${name}!`);
const go = externalEvent<string>("go");
const greet = orchestrator("greet", async (ctx, name: string) => {
  const greeting = await ctx.callActivity(hello, name);
  return `${greeting} ${await ctx.waitForExternalEvent(go)}`;
});
const registered = { orchestrators: [greet], activities: [hello] };

interface Damage {
  /** Applied when the instance waits for its event; or before its first turn. */
  readonly when: "waiting" | "started" | "scheduled";
  readonly sql: string;
  /** What the check says. */
  readonly finding: RegExp;
  /** The counter that moves when a worker comes across it; none where that does not happen before it is purged. */
  readonly counter?: string;
}

const NUMBER = "(select number from instances where id = 'damaged')";
const DAMAGES: Readonly<Record<string, Damage>> = {
  "the record's tags": {
    when: "started",
    sql: "update instances set tags = '{oops' where id = 'damaged'",
    finding: /record of instance 'damaged' cannot be read/,
    counter: "instancesUnreadable",
  },
  "a number of the record that no number can be": {
    when: "started",
    sql: "update instances set updated_at = 9223372036854775807 where id = 'damaged'",
    finding: /record of instance 'damaged' cannot be read/,
    counter: "instancesUnreadable",
  },
  "the record's status": {
    when: "started",
    sql: "update instances set status = 77 where id = 'damaged'",
    finding: /record of instance 'damaged' cannot be read/,
    counter: "instancesUnreadable",
  },
  "its history": {
    when: "waiting",
    sql: `update history set body = '~' || body where number = ${NUMBER} and turn = 1`,
    finding: /history of instance 'damaged' cannot be read at turn 1/,
    counter: "instancesSetAside",
  },
  "a turn of its history that is gone": {
    when: "waiting",
    sql: `delete from history where number = ${NUMBER} and turn = 1`,
    finding: /history of instance 'damaged' has a gap before turn 2/,
  },
  "a message": {
    when: "started",
    sql: `update messages set body = 'x' || body where number = ${NUMBER}`,
    finding: /message '.*' to instance 'damaged' cannot be read/,
    counter: "instancesSetAside",
  },
  "a message that the engine answers": {
    when: "started",
    sql: `update messages set lane = 0, body = 'x' || body where number = ${NUMBER}`,
    finding: /message '.*' to instance 'damaged' cannot be read/,
    counter: "instancesSetAside",
  },
  "a message's arrival, which no number can be": {
    when: "started",
    sql: `update messages set arrived_at = 9223372036854775807 where number = ${NUMBER}`,
    finding: /.*/,
    counter: "instancesUnreadable",
  },
  "an activity": {
    when: "scheduled",
    sql: `update activities set tags = 'oops' where number = ${NUMBER}`,
    finding: /activity 'hello' \(#\d+\) of instance 'damaged' cannot be read/,
    counter: "activitiesUnreadable",
  },
  "an instance that is gone from under its rows": {
    when: "waiting",
    sql: "delete from instances where id = 'damaged'",
    finding: /turns of history of the instance number \d+, which is gone/,
  },
};

async function begin(file: string, when: Damage["when"]): Promise<void> {
  const hub = await openTaskHub(`sqlite:${file}`);
  const instances = [];
  for (const id of ["damaged", "sound"]) instances.push(await hub.start(greet, id, { instanceId: id, tags: { team: "a" } }));
  if (when === "waiting") {
    const worker = await hub.startWorker(registered);
    for (const instance of instances)
      await until(async () => (await instance.status())?.waitingFor.some((what) => what.includes("go")) === true);
    await worker.stop();
  }
  if (when === "scheduled") {
    const worker = await hub.startWorker({ orchestrators: [greet] });
    for (const instance of instances) await until(async () => (await hub.sizes()).activities === 2 && instance !== undefined);
    await worker.stop();
  }
  assert.deepEqual(await hub.checkIntegrity(), []);
  await hub.close();
}

/** Asks until it is so, and lets the event loop go round in between. Bounded by the test's own time. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await nextLoopTurn();
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-damaged-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

for (const [what, damage] of Object.entries(DAMAGES)) {
  test(`D5 damaged: ${what}`, { timeout: 30_000 }, async (t) => {
    const file = join(folderOf(t), "hub.db");
    await begin(file, damage.when);
    const db = new DatabaseSync(file);
    db.exec(damage.sql);
    db.close();

    const lines: LogRecord[] = [];
    const hub: Hub = await openTaskHub(`sqlite:${file}`, { log: { level: "error", sink: (line) => lines.push(line) } });
    t.after(() => hub.close());
    const worker = await hub.startWorker(registered);
    const sound = hub.instance(greet, "sound");
    for (const id of ["sound", "damaged"])
      await hub
        .instance(id)
        .raiseEvent(go, "Bye!")
        .catch(() => undefined);
    assert.equal(await sound.result({ timeout: "20s" }), "Hello sound! Bye!");

    const findings = await hub.checkIntegrity();
    assert.ok(
      findings.some((finding) => damage.finding.test(finding.message)),
      JSON.stringify(findings),
    );
    assert.ok(
      findings.every((finding) => finding.instanceId === undefined || finding.instanceId === "damaged"),
      JSON.stringify(findings),
    );
    if (damage.counter !== undefined) {
      const { counter } = damage;
      await until(async () => (hub.counters()[counter] ?? 0) > 0);
      assert.ok(
        lines.some((line) => line.level === "error" && line.fields["instanceId"] === "damaged"),
        JSON.stringify(lines),
      );
    }
    if (damage.counter === "instancesSetAside") {
      assert.ok((hub.counters()["instancesSetAside"] ?? 0) <= 5, "it is not claimed over and over");
      const status = await hub.instance("damaged").status();
      assert.equal(status?.stall?.kind, "set-aside");
      assert.match(status.stall.reason, /cannot be read.*Restore the file/);
      await hub.instance("damaged").terminate();
      await assert.rejects(hub.instance("damaged").result({ timeout: "10s" }), { code: "ORCHESTRATION_TERMINATED" });
      await hub.instance("damaged").purge();
    }
    if (what === "the record's tags")
      await assert.rejects(hub.instance("damaged").status(), {
        code: "STORE_FORMAT",
        message: /record of instance 'damaged' cannot be read/,
      });
    const listed: string[] = [];
    for await (const status of hub.query()) listed.push(status.id);
    assert.ok(listed.includes("sound"), "a query leaves out what it cannot read, and nothing else");
    await worker.stop();
  });
}
