// The histories that released versions have recorded, replayed with today's code: in this process, and elsewhere in the world.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { activity, orchestrator } from "ostinato";
import { assertReplays, readHistories, replay } from "ostinato/history";
import { orchestrators, recordStory, stories } from "./golden/stories.ts";

const folder = join(import.meta.dirname, "golden");
const versions = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && /^\d+\.\d+\.\d+$/.test(entry.name))
  .map((entry) => entry.name);

describe("golden histories", () => {
  test("are there, for each released version", () => {
    assert.ok(versions.includes("0.1.0"));
  });

  for (const version of versions) {
    test(`V3 every history recorded by ${version} replays to the same`, async () => {
      let same = 0;
      await assertReplays(readHistories(join(folder, version)), { orchestrators }, { onResult: () => same++ });
      assert.equal(same, readdirSync(join(folder, version)).length);
    });
  }

  test("are of stories that can still be told, each under a name of its own", () => {
    const names = new Set(stories.map(({ name }) => name));
    assert.equal(names.size, stories.length);
    for (const version of versions)
      for (const file of readdirSync(join(folder, version))) assert.ok(names.has(file.split("--")[0] ?? ""), `${version}/${file}`);
  });

  test("notice a program that does something else", async () => {
    const other = activity("other", async () => 1);
    const changed = orchestrator("chain", async (ctx) => await ctx.callActivity(other));
    const programs = [changed, ...orchestrators.filter(({ name }) => name !== "chain")];
    for (const version of versions) {
      const report = await replay(readHistories(join(folder, version)), { orchestrators: programs });
      assert.deepEqual(
        report.differences.map(({ instance }) => instance.name),
        ["chain"],
      );
    }
  });

  for (const [zone, language] of [
    ["Pacific/Apia", "tr-TR"],
    ["America/St_Johns", "ar-EG"],
  ] as const) {
    test(`H7 replay to the same in ${zone}, in ${language}`, () => {
      const posix = `${language.replace("-", "_")}.UTF-8`;
      const child = spawnSync(process.execPath, ["--hash-seed=7", "--stack-size=600", join(folder, "replay.ts")], {
        encoding: "utf8",
        env: { ...process.env, TZ: zone, LANG: posix, LC_ALL: posix },
      });
      assert.equal(child.status, 0, child.stdout + child.stderr);
      const [place = "", ...reports] = child.stdout.trim().split("\n");
      assert.equal(place, `${zone} ${language}`);
      assert.equal(reports.length, versions.length);
    });
  }

  test("V3 a story told today asks for the same, under the same ids, as when it was recorded", async () => {
    let compared = 0;
    for (const story of stories) {
      for await (const { file, text } of recordStory(story)) {
        const now = callsOf(text);
        for (const path of versions.map((version) => join(folder, version, file)).filter((each) => existsSync(each))) {
          assert.deepEqual(now, callsOf(readFileSync(path, "utf8")), path);
          compared += 1;
        }
      }
    }
    assert.ok(compared > 50);
  });
});

/** What the program of a document asked for, by id. */
function callsOf(document: string): string[] {
  const { events } = JSON.parse(document) as { events: readonly { kind: string; eventId: number; name?: string }[] };
  return events.filter(({ eventId }) => eventId > 0).map(({ kind, eventId, name = "" }) => `${eventId} ${kind} ${name}`);
}
