// The commands about entities, over a real file.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { EXIT } from "@ostinato/cli";
import { entity, openTaskHub, orchestrator } from "ostinato";
import { folderFor } from "./programs.ts";
import { inProcess, jsonLines } from "./ostinato.ts";

const counter = entity("counter", { initial: () => 0 }).operations({
  add: (state, amount: number) => state.set(state.value + amount),
});
const holder = orchestrator("holder", async (ctx) => {
  await ctx.entity(counter, "a").add(1);
  await ctx.lockEntities([ctx.entity(counter, "a"), ctx.entity(counter, "b")], async () => {
    await ctx.waitForExternalEvent("never");
  });
});
const asker = orchestrator("asker", async (ctx) => {
  await ctx.entity(counter, "a").add(5);
});

/** Waits for what a worker of this process does. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
}

/** A file with two locked entities, one that a call waits for, and one that was deleted. */
async function populated(t: TestContext): Promise<string> {
  const url = `sqlite:${join(await folderFor(t), "hub.db")}`;
  await using hub = await openTaskHub(url);
  await using _ = await hub.startWorker({ orchestrators: [holder, asker], entities: [counter] });
  await hub.entity(counter, "gone").signal.add(1);
  await hub.entity(counter, "gone").delete();
  await hub.start(holder, undefined, { instanceId: "holder" });
  await until(async () => (await hub.entity(counter, "b").metadata())?.lockedBy === "holder");
  await hub.start(asker, undefined, { instanceId: "asker" });
  await until(async () => (await hub.entity(counter, "a").metadata())?.backlogQueueSize === 1);
  return url;
}

describe("entities", () => {
  it("are listed with what waits for them and who has them", async (t) => {
    const url = await populated(t);
    const ids = async (...args: string[]): Promise<unknown[]> =>
      jsonLines(await inProcess(["entities", "--url", url, "--json", ...args])).map(({ id }) => id);
    assert.deepEqual(await ids(), ["@counter@a"]);
    assert.deepEqual((await ids("--all")).sort(), ["@counter@a", "@counter@b", "@counter@gone"]);
    assert.deepEqual(await ids("--all", "--name", "Counter", "--prefix", "b"), ["@counter@b"]);
    assert.deepEqual(await ids("--all", "--prefix", "@counter@g"), ["@counter@gone"]);
    assert.deepEqual(await ids("--name", "nobody"), []);
    const table = await inProcess(["entities", "--url", url]);
    assert.match(table.out, /^ID +LAST MODIFIED +WAITING +LOCKED BY +NOTE\n@counter@a .* 1 +holder/);
    const [withState] = jsonLines(await inProcess(["entities", "--url", url, "--json", "--payloads"]));
    assert.equal(withState?.["state"], 1);
  });

  it("are shown one by one; the state only when asked", async (t) => {
    const url = await populated(t);
    const shown = await inProcess(["entity", "@counter@a", "--url", url]);
    assert.match(shown.out, /@counter@a\n.*last modified .*\n.*waiting +1 operation, for the lock.*\n.*locked by +holder\n.*state +yes/);
    assert.match((await inProcess(["entity", "@counter@a", "--url", url, "--payloads"])).out, /state +1\n/);
    assert.equal((await inProcess(["entity", "@counter@nobody", "--url", url])).exitCode, EXIT.notFound);
    assert.equal((await inProcess(["entity", "counter", "--url", url])).exitCode, EXIT.usage);
  });

  it("stand in the stories of those who call and lock them", async (t) => {
    const url = await populated(t);
    const story = (await inProcess(["history", "holder", "--url", url])).out;
    assert.match(story, /calls operation 'add' of entity '@counter@a' \(#1\) -> completed after .*, turn 2/);
    assert.match(story, /asks for the lock of '@counter@a', '@counter@b' \(#2\) -> granted after .*, turn 3/);
    const why = (await inProcess(["explain", "asker", "--url", url])).out;
    assert.match(why, /operation 'add' of entity '@counter@a' \(#1\)/);
    assert.match(why, /ostinato entity @counter@a/);
  });

  it("are signalled and cleaned up", async (t) => {
    const url = await populated(t);
    const signalled = await inProcess(["signal", "@counter@new", "add", "--data", "7", "--url", url]);
    assert.match(signalled.out, /^Signalled 'add' to '@counter@new'\.\n/);
    assert.equal((await inProcess(["signal", "@counter@new", "add", "--data", "seven", "--url", url])).exitCode, EXIT.usage);
    for (const wrong of [["then"], [""], ["add", "--at", "soon"]])
      assert.equal((await inProcess(["signal", "@counter@new", ...wrong, "--url", url])).exitCode, EXIT.usage);
    assert.match((await inProcess(["resume", "@counter@new", "--url", url])).out, /does not stall/);
    assert.equal((await inProcess(["resume", "@counter@nobody", "--url", url])).exitCode, EXIT.notFound);
    const cleaned = await inProcess(["clean-entities", "--url", url]);
    assert.equal(cleaned.out, "Removed 1 empty entities, released 0 orphaned locks.\n");
    assert.match((await inProcess(["sizes", "--url", url])).out, /\nentities +3\n/);
    await using hub = await openTaskHub(url);
    await using _ = await hub.startWorker({ entities: [counter] });
    await until(async () => (await hub.entity(counter, "new").state()) === 7);
  });
});
