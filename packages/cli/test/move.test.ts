// Moving a task hub, as a user does it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { EXIT } from "@ostinato/cli";
import { openTaskHub } from "ostinato";
import { openPostgresStore } from "ostinato/postgres";
import { databaseForTests, withoutPostgres } from "../../../scripts/postgres-for-tests.ts";
import { activities, approved, folderFor, openHub, orchestrators, populate, until } from "./programs.ts";
import { asProcess, inProcess, jsonLines, started } from "./ostinato.ts";

const goesOn = async (url: string): Promise<void> => {
  await using hub = await openTaskHub(url, { log: { level: "silent" } });
  await using _ = await hub.startWorker({ orchestrators, activities });
  await hub.instance("asking").raiseEvent(approved, { by: "Ada" });
  assert.equal(await hub.instance("asking").result({ timeout: "60s" }), "approved by Ada");
  assert.equal(await hub.instance("done").result(), 42);
};

describe("move", () => {
  it("takes a hub into another file, undoes it, and says what the copy is", async (t) => {
    const folder = await folderFor(t);
    const [from, to] = [`sqlite:${join(folder, "hub.db")}`, `sqlite:${join(folder, "elsewhere.db")}`];
    const { hub, close } = await openHub(t, from);
    await populate(hub);
    assert.equal((await inProcess(["move", from, to])).exitCode, EXIT.unreachable, "this process holds it");
    await close();

    const moved = await inProcess(["move", from, to]);
    assert.equal(moved.exitCode, EXIT.ok, moved.err);
    assert.match(moved.err, /closing it.*\ncopying 0 of \d+ rows \(0%\)\nreading the copy.*\nopening it at the other side\n/s);
    assert.match(moved.out, /^Moved 'sqlite:.*hub\.db' to 'sqlite:.*elsewhere\.db'\.\n/);
    assert.match(moved.out, /\n {2}instances +\d+ {2}sha256 [0-9a-f]{64}\n/);
    const list = await inProcess(["list", "--url", from]);
    assert.deepEqual([list.exitCode, list.out], [EXIT.unreachable, ""]);
    assert.match(list.err, /was moved to sqlite:.*elsewhere\.db on 2.*Open it there/);
    const [again] = jsonLines(await inProcess(["move", from, to, "--json"]));
    assert.equal(again?.["moved"], false);

    assert.match((await inProcess(["move", "--undo", from, to])).out, /was undone/);
    assert.match((await inProcess(["move", "--undo", from, to])).err, /nothing to undo/);
    const [report] = jsonLines(await inProcess(["move", from, `${to}?hub=other`, "--json"]));
    assert.deepEqual(Object.keys(report?.["tables"] as object), ["payloads", "history", "messages", "activities", "ready", "instances"]);
    await goesOn(`${to}?hub=other`);
  });

  it("V5 killed whenever it says something, it goes on when the same command is given again", { timeout: 120_000 }, async (t) => {
    const folder = await folderFor(t);
    const made = join(folder, "made.db");
    const { hub, close } = await openHub(t, `sqlite:${made}`);
    await populate(hub);
    await close();
    for (const [index, said] of ["closing", "copying", "reading", "opening", "Moved"].entries()) {
      const path = join(folder, `from-${index}.db`);
      await copyFile(made, path);
      const [from, to] = [`sqlite:${path}`, `sqlite:${join(folder, `to-${index}.db`)}`];
      const child = started(t, ["move", from, to]);
      for (const stream of [child.stdout, child.stderr])
        stream?.setEncoding("utf8").on("data", (text: string) => text.includes(said) && child.kill("SIGKILL"));
      await once(child, "close");
      // What is said first is said before anything is done.
      if (said !== "closing") await assert.rejects(openTaskHub(from), { code: "STORE_UNAVAILABLE", message: /moved to sqlite:/ });
      const again = await inProcess(["move", from, to]);
      assert.equal(again.exitCode, EXIT.ok, again.err);
      await goesOn(to);
    }
  });

  it("is told what cannot be, with the exit codes of every command", async (t) => {
    const folder = await folderFor(t);
    const path = `sqlite:${join(folder, "hub.db")}`;
    const ends = async (exitCode: number, message: RegExp, ...args: string[]): Promise<void> => {
      const ended = await inProcess(["move", ...args]);
      assert.match(ended.err, message);
      assert.equal(ended.exitCode, exitCode);
    };
    await ends(EXIT.usage, /Say where the task hub goes/, path);
    await ends(EXIT.usage, /about one task hub alone/, path, path, "--unfence");
    await ends(EXIT.unreachable, /does not exist/, path, "sqlite:other.db");
    await ends(EXIT.unreachable, /Only a file .* or a database/, "memory:", path);
    await (await openTaskHub(path)).close();
    await ends(EXIT.refused, /nothing to undo/, "--unfence", path);
    await ends(EXIT.refused, /There is no task hub sqlite:.*hub=none/, `${path}?hub=none`, "sqlite:other.db");
  });

  it(
    "takes a hub to PostgreSQL and back; who works on it is named, or sent away",
    { skip: withoutPostgres(), timeout: 120_000 },
    async (t) => {
      const folder = await folderFor(t);
      const [start, end] = [`sqlite:${join(folder, "hub.db")}`, `sqlite:${join(folder, "end.db")}`];
      const { hub, close } = await openHub(t, start);
      await populate(hub);
      await close();
      const database = await databaseForTests();
      const moved = await asProcess(t, ["move", start, database]);
      assert.equal(moved.exitCode, EXIT.ok, moved.err);

      const there = await openHub(t, database);
      await until(there.hub, "asking", "external event");
      const refused = await asProcess(t, ["move", database, end]);
      assert.equal(refused.exitCode, EXIT.refused);
      assert.match(refused.err, /is open in '[^']+'.*--stop-workers/);
      assert.equal((await there.hub.instance("asking").status())?.id, "asking", "a refusal changes nothing");
      await there.close();

      const store = openPostgresStore({ connectionString: database, label: "worker 7" });
      t.after(() => store.close());
      await store.open();
      await store.renew(1_000);
      const back = await asProcess(t, ["move", database, end, "--stop-workers"]);
      assert.equal(back.exitCode, EXIT.ok, back.err);
      await assert.rejects(store.renew(1_000), /moved to sqlite:.*end\.db/);
      await goesOn(end);
    },
  );
});
