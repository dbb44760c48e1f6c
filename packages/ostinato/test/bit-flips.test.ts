// D5: a file in which bits have flipped is refused with a reason, or opens, runs what is sound, and the check says what is wrong.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { activity, externalEvent, openTaskHub, orchestrator, OstinatoError } from "ostinato";
import { restoreTaskHub } from "ostinato/sqlite";
import { seededRandom } from "../src/platform/random.ts";

const ROUNDS = 15;
const INSTANCES = 30;
const hello = activity("hello", async (_ctx, name: string) => `Hello ${name}!`);
const go = externalEvent<string>("go");
const greet = orchestrator("greet", async (ctx, name: string) => {
  const greeting = await ctx.callActivity(hello, name);
  return `${greeting} ${await ctx.waitForExternalEvent(go)}`;
});
const registered = { orchestrators: [greet], activities: [hello] };

test(
  "D5 flipped bits are refused with a reason or found by the check, and never end the process (seeded)",
  { timeout: 240_000 },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "ostinato-bits-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const original = join(folder, "original.db");
    const hub = await openTaskHub(`sqlite:${original}`);
    const worker = await hub.startWorker(registered);
    for (let i = 0; i < INSTANCES; i++) await hub.start(greet, `${i} ${"x".repeat(300)}`, { instanceId: `i${i}`, tags: { team: "a" } });
    for (let i = 0; i < INSTANCES; i++)
      while ((await hub.instance(`i${i}`).status())?.waitingFor.some((what) => what.includes("go")) !== true);
    await worker.stop();
    const backup = join(folder, "backup.db");
    await hub.backup(backup);
    await hub.close();
    const sound = readFileSync(backup);

    const outcomes = { refused: 0, found: 0, unseen: 0 };
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = seededRandom(seed);
      const where = `seed ${seed}`;
      const path = join(folder, `flipped-${seed}.db`);
      const bytes = Buffer.from(sound);
      const at = Math.floor(random.fraction() * bytes.length);
      // A byte or a stretch of them: a torn sector.
      const length = random.fraction() < 0.5 ? 1 : 512;
      for (let i = at; i < Math.min(at + length, bytes.length); i++) bytes[i] = (bytes[i] ?? 0) ^ (1 << Math.floor(random.fraction() * 8));
      writeFileSync(path, bytes);
      copyFileSync(path, `${path}.kept`);

      let flipped;
      try {
        flipped = await openTaskHub(`sqlite:${path}`, { log: { level: "silent" } });
      } catch (error) {
        assert.ok(error instanceof OstinatoError, `${where}: ${String(error)}`);
        outcomes.refused++;
        continue;
      }
      const findings = await flipped.checkIntegrity();
      const named = new Set(findings.map((finding) => finding.instanceId));
      const running = await flipped.startWorker(registered).catch((error: unknown) => {
        assert.ok(findings.length > 0, `${where}: no worker could start, and the check found nothing: ${String(error)}`);
        return undefined;
      });
      if (findings.length === 0) {
        // In free room, or inside a payload: nothing but the payload's own text can tell. Everything goes on.
        outcomes.unseen++;
        for (let i = 0; i < INSTANCES; i++) {
          await flipped.instance(`i${i}`).raiseEvent(go, "Bye!");
          await flipped
            .instance(greet, `i${i}`)
            .result({ timeout: "20s" })
            .catch((error: unknown) => assert.ok(error instanceof OstinatoError, where));
        }
      } else {
        outcomes.found++;
        // Where single rows are damaged and the pages are sound, all others end.
        if (running !== undefined && findings.every((finding) => finding.kind === "row")) {
          for (let i = 0; i < INSTANCES; i++) {
            if (named.has(`i${i}`)) continue;
            await flipped.instance(`i${i}`).raiseEvent(go, "Bye!");
            assert.match(await flipped.instance(greet, `i${i}`).result({ timeout: "20s" }), /Bye!$/, where);
          }
        }
        if (findings.some((finding) => finding.kind === "file"))
          await assert.rejects(
            restoreTaskHub(`${path}.kept`, `sqlite:${join(folder, `never-${seed}.db`)}`),
            { code: "STORE_FORMAT" },
            where,
          );
      }
      await running?.stop();
      await flipped.close();
    }
    t.diagnostic(JSON.stringify(outcomes));
    assert.ok(outcomes.found + outcomes.refused > 0, "no round came across any damage, so nothing was shown");
  },
);
