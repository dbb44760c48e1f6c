// survival: processes that end in the middle of the work.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { ended, eventually, pause } from "../story.ts";
import type { Stage, Story } from "../story.ts";

export const survivalStories: readonly Story[] = [
  {
    name: "a worker is killed in the middle of an activity",
    needs: { server: ["deathOfWorker"] },
    alone: true,
    async run(stage) {
      await stage.withoutWorker(async () => {
        const id = stage.id();
        const file = stage.file("activity");
        const victim = await stage.another();
        await victim.startWorker({});
        await stage.client.start({
          name: stage.on("call"),
          input: { activity: stage.on("slow"), input: { ms: 1_500, file } },
          instanceId: id,
        });
        assert.ok(await eventually(stage.patienceMs, async () => existsSync(file)), "the activity never began");
        await victim.kill();
        const heir = await stage.another();
        await heir.startWorker({});
        const instance = await ended(stage, id);
        assert.deepEqual([instance.status, instance.output], ["COMPLETED", "slept"]);
        const lines = readFileSync(file, "utf8").trim().split("\n");
        assert.deepEqual(lines, [`began ${victim.pid}`, `began ${heir.pid}`, `ended ${heir.pid}`]);
        await exactlyOnce(stage, [id]);
        await heir.end();
      });
    },
  },
  {
    name: "the server is killed and restarted under load",
    needs: { server: ["restartOfServer"] },
    alone: true,
    async run(stage) {
      const ids = Array.from({ length: 30 }, (_, i) => stage.id(`n${i}`));
      const started: string[] = [];
      for (const instanceId of ids.slice(0, 20)) {
        await stage.client.start({ name: stage.on("work"), input: 8, instanceId });
        started.push(instanceId);
      }
      await stage.server.killAndRestart();
      const outage = performance.now();
      for (const instanceId of ids.slice(20)) {
        await eventually(stage.patienceMs, async () =>
          stage.client.start({ name: stage.on("work"), input: 8, instanceId }).then(
            () => true,
            // It may have been taken before the answer was lost.
            async () => (await stage.client.get({ instanceId }).catch(() => undefined)) !== undefined,
          ),
        );
        started.push(instanceId);
      }
      await pause(Math.max(0, 300 - (performance.now() - outage)));
      await stage.server.killAndRestart();
      for (const id of started) {
        let output: unknown;
        const done = await eventually(stage.patienceMs, async () => {
          const instance = await stage.client.get({ instanceId: id }).catch(() => undefined);
          output = instance?.output;
          return instance?.status === "COMPLETED";
        });
        assert.ok(done, `${id} never completed`);
        assert.equal(output, 10);
      }
      await exactlyOnce(stage, started);
    },
  },
];

/** Each call has one completion in the history, and each instance one end. */
async function exactlyOnce(stage: Stage, ids: readonly string[]): Promise<void> {
  if (stage.observer === undefined) return;
  for (const instanceId of ids) {
    const kinds = await stage.observer.history({ instanceId });
    const count = (kind: string): number => kinds.filter((each) => each === kind).length;
    assert.equal(count("ExecutionStarted"), 1, `${instanceId}: ${kinds.join(" ")}`);
    assert.equal(count("ExecutionCompleted"), 1, `${instanceId}: ${kinds.join(" ")}`);
    assert.equal(count("TaskCompleted"), count("TaskScheduled"), `${instanceId}: ${kinds.join(" ")}`);
  }
}
