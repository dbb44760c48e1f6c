// schedules: orchestrations that are started again and again by an interval, asked for and served by whom it may be.
import assert from "node:assert/strict";
import { eventually } from "../story.ts";
import type { Needs, Story } from "../story.ts";

const everybody: Needs = { client: ["schedules", "query"], worker: ["schedules"], server: ["entities", "query"] };

export const scheduleStories: readonly Story[] = [
  {
    name: "a schedule starts an orchestration at each interval, under an id made of both",
    needs: everybody,
    async run(stage) {
      const id = stage.id();
      const input = { activity: stage.on("greet"), input: "Tokyo" };
      await stage.client.createSchedule({ id, orchestrator: stage.on("call"), input, seconds: 1 });
      const runs = async () => (await stage.client.query({ prefix: `${id}-`, pageSize: 100 })).found;
      const done = async () => (await runs()).filter(({ status }) => status === "COMPLETED");
      assert.ok(await eventually(stage.patienceMs, async () => (await done()).length >= 3), "three runs");
      await stage.client.deleteSchedule({ id });
      const ticks = (await runs()).map((run) => Date.parse(run.id.slice(id.length + 1)));
      assert.equal(new Set(ticks).size, ticks.length);
      for (const tick of ticks) assert.equal((tick - ticks[0]!) % 1_000, 0, "all ticks are of one grid");
      for (const { output } of await done()) assert.equal(output, "Hello Tokyo!");
    },
  },
  {
    name: "a schedule is described, changed, paused, resumed, listed and deleted",
    needs: everybody,
    async run(stage) {
      const id = stage.id();
      const { client } = stage;
      assert.equal((await client.describeSchedule({ id })) ?? null, null);
      await client.createSchedule({ id, orchestrator: stage.on("chain"), input: { name: "Ada", tags: ["a"] }, seconds: 90.5 });
      const seen = { id, status: "Active", orchestrator: stage.on("chain"), input: { name: "Ada", tags: ["a"] }, seconds: 90.5 };
      assert.deepEqual({ ...(await client.describeSchedule({ id })) }, seen);
      await client.updateSchedule({ id, seconds: 86_400 * 2 });
      await client.pauseSchedule({ id });
      await assert.rejects(client.pauseSchedule({ id }));
      assert.deepEqual({ ...(await client.describeSchedule({ id })) }, { ...seen, status: "Paused", seconds: 172_800 });
      assert.deepEqual(
        (await client.listSchedules({ prefix: id })).map((each) => [each.id, each.status]),
        [[id, "Paused"]],
      );
      await client.resumeSchedule({ id });
      assert.equal((await client.describeSchedule({ id }))?.status, "Active");
      await client.deleteSchedule({ id });
      assert.equal((await client.describeSchedule({ id })) ?? null, null);
    },
  },
  {
    name: "what cannot be done with a schedule is refused, and says why",
    needs: everybody,
    async run(stage) {
      const id = stage.id();
      await stage.client.createSchedule({ id, orchestrator: stage.on("chain"), input: "Ada", seconds: 3_600 });
      await assert.rejects(stage.client.resumeSchedule({ id }), /resume_schedule|not paused/);
      await stage.client.deleteSchedule({ id });
      await assert.rejects(stage.client.pauseSchedule({ id }), /pause_schedule|no schedule/);
    },
  },
];
