// timers: they fire once, in order, never early, and not at all when they were taken back.

import assert from "node:assert/strict";
import { activity, orchestrator } from "../../index.ts";
import { historyOf, ofKind, signal, type Chapter } from "./world.ts";

const DAY_MS = 86_400_000;

export const timers: Chapter = (story) => {
  story("T1 a timer fires not before its time, by the orchestrator's own clock", async (world) => {
    const naps = orchestrator("naps", async (ctx) => {
      const slept: number[] = [];
      for (const units of [1, 0.5, 2]) {
        const begun = ctx.currentUtcDateTime.getTime();
        await ctx.createTimer({ milliseconds: units * world.unitMs });
        slept.push((ctx.currentUtcDateTime.getTime() - begun) / (units * world.unitMs));
      }
      return slept;
    });
    await world.work({ orchestrators: [naps] });
    const slept = await world.output(await world.hub.start(naps)); // which checks T1 on the history as well
    for (const ratio of slept) assert.ok(ratio >= 1, `a timer was early: ${ratio} of its time`);
  });

  story("T2 timers fire in the order in which they are due, whatever the order in which they were set", async (world) => {
    const orders = orchestrator("orders", async (ctx) => {
      const fired: number[] = [];
      const nap = async (units: number): Promise<void> => {
        await ctx.createTimer({ milliseconds: units * world.unitMs });
        fired.push(units);
      };
      await Promise.all([3, 1, 4, 2, 0].map(nap));
      return fired;
    });
    await world.work({ orchestrators: [orders] });
    assert.deepEqual(await world.output(await world.hub.start(orders)), [0, 1, 2, 3, 4]);
  });

  story("T3 an orchestrator's clock never goes back, whatever its turns are about", async (world) => {
    const looks = orchestrator("looks", async (ctx) => {
      const times = [ctx.currentUtcDateTime.getTime()];
      const timers = [1, 2, 3].map((units) => ctx.createTimer({ milliseconds: units * world.unitMs }));
      for (const timer of timers) {
        await ctx.first({ timer, event: ctx.waitForExternalEvent("go") });
        times.push(ctx.currentUtcDateTime.getTime());
      }
      return times;
    });
    await world.work({ orchestrators: [looks], warm: { bytes: 0 } });
    const instance = await world.hub.start(looks);
    await instance.raiseEvent("go");
    const times = await world.output(instance);
    assert.deepEqual(
      times,
      [...times].sort((a, b) => a - b),
    );
  });

  story("T4 a time that has passed is fine, back to 1970: the timer fires at once", async (world) => {
    const past = orchestrator("past", async (ctx) => {
      await ctx.createTimer(new Date(0));
      await ctx.createTimer(new Date(ctx.currentUtcDateTime.getTime() - DAY_MS));
      await ctx.createTimer("0s");
      return "done";
    });
    await world.work({ orchestrators: [past] });
    const instance = await world.hub.start(past);
    assert.equal(await world.output(instance), "done");
    assert.equal(ofKind(await historyOf(instance), "TimerFired")[0]?.fireAt, 0);
  });

  story("a timer can be due at a Date, after a text, and after parts", async (world) => {
    const kinds = orchestrator("kinds", async (ctx) => {
      const now = ctx.currentUtcDateTime.getTime();
      ctx.createTimer(new Date(now + 5_000_000)).cancel();
      const timers = [ctx.createTimer(new Date(now + 5_000_000)), ctx.createTimer("1.5h"), ctx.createTimer({ days: 1, minutes: 2 })];
      await ctx.first({ timers: ctx.whenAll(timers), go: ctx.waitForExternalEvent("go") });
      return now;
    });
    await world.work({ orchestrators: [kinds] });
    const instance = await world.hub.start(kinds);
    await instance.raiseEvent("go");
    const now = await world.output(instance);
    assert.deepEqual(
      ofKind(await historyOf(instance), "TimerCreated").map((event) => event.fireAt - now),
      [5_000_000, 5_400_000, DAY_MS + 120_000],
    );
  });

  story("T4 a timer that was taken back never fires: awaiting it throws, and the instance is not kept waiting", async (world) => {
    const cancels = orchestrator("cancels", async (ctx) => {
      const timer = ctx.createTimer("10000d");
      const other = ctx.createTimer({ milliseconds: world.unitMs });
      await other;
      timer.cancel();
      timer.cancel();
      other.cancel();
      let code = "";
      try {
        await timer;
      } catch (error) {
        code = (error as { code: string }).code;
      }
      return [timer.isCancelled, code, other.isCancelled, other.isCompleted];
    });
    await world.work({ orchestrators: [cancels] });
    const instance = await world.hub.start(cancels);
    assert.deepEqual(await world.output(instance), [true, "TASK_CANCELLED", false, true]);
    assert.equal(ofKind(await historyOf(instance), "TimerFired").length, 1);
  });

  for (const warm of [{}, { bytes: 0 }]) {
    story(
      `T4 the losers of first are taken back, and the status no longer names them${"bytes" in warm ? ", replayed" : ""}`,
      async (world) => {
        const firsts = orchestrator("firsts", async (ctx) => {
          const got = await ctx.first({ go: ctx.waitForExternalEvent("go"), late: ctx.createTimer({ milliseconds: 20 * world.unitMs }) });
          await ctx.waitForExternalEvent("end");
          await ctx.createTimer({ milliseconds: 22 * world.unitMs });
          return got.key;
        });
        await world.work({ orchestrators: [firsts], warm });
        const instance = await world.hub.start(firsts);
        await instance.raiseEvent("go");
        const status = await world.seen(instance, (each) => each.waitingFor.some((line) => line.includes("'end'")));
        assert.deepEqual(
          status.waitingFor.filter((line) => line.includes("timer")),
          [],
        );
        await instance.raiseEvent("end");
        assert.equal(await world.output(instance), "go");
        assert.equal(ofKind(await historyOf(instance), "TimerFired").length, 1, "only the last timer fires");
      },
    );
  }

  story("a timer that is still open at the end is taken back with it", async (world) => {
    const leaves = orchestrator("leaves", async (ctx) => {
      ctx.createTimer("365d");
      void ctx.createTimer({ milliseconds: world.unitMs });
      await ctx.createTimer("0s");
      return "left";
    });
    await world.work({ orchestrators: [leaves] });
    const instance = await world.hub.start(leaves);
    assert.equal(await world.output(instance), "left");
    const length = (await historyOf(instance)).length;
    const naps = orchestrator("naps", async (ctx) => void (await ctx.createTimer({ milliseconds: 2 * world.unitMs })));
    await world.work({ orchestrators: [naps] });
    await world.output(await world.hub.start(naps));
    assert.equal((await historyOf(instance)).length, length);
  });

  story("T2 timers longer than any timer of the platform are kept: months, years, and the year 9999", async (world) => {
    const waits = orchestrator("waits", async (ctx, due: "400d" | "30d" | "9999") => {
      const begun = ctx.currentUtcDateTime.getTime();
      const timer = ctx.createTimer(due === "9999" ? new Date(Date.UTC(9999, 11, 31)) : due);
      const got = await ctx.first({ timer, go: ctx.waitForExternalEvent("go") });
      return { key: got.key, days: Math.floor((ctx.currentUtcDateTime.getTime() - begun) / DAY_MS) };
    });
    await world.work({ orchestrators: [waits] });
    const [month, year, far] = [
      await world.hub.start(waits, "30d"),
      await world.hub.start(waits, "400d"),
      await world.hub.start(waits, "9999"),
    ];
    for (const instance of [month, year, far])
      await world.seen(instance, (status) => status.waitingFor.some((line) => line.includes("timer")));
    if (world.leaps) {
      await world.pass(29 * DAY_MS);
      assert.equal((await month.status())?.status, "RUNNING");
      await world.pass(2 * DAY_MS);
      assert.deepEqual(await world.output(month), { key: "timer", days: 30 });
      await world.pass(371 * DAY_MS);
      assert.deepEqual(await world.output(year), { key: "timer", days: 400 });
    } else {
      for (const instance of [month, year]) {
        await instance.raiseEvent("go");
        assert.deepEqual(await world.output(instance), { key: "go", days: 0 });
      }
    }
    assert.equal((await far.status())?.status, "RUNNING");
    assert.match((await far.status())?.waitingFor.join() ?? "", /9999-12-31/);
    await far.raiseEvent("go");
    assert.equal((await world.output(far)).key, "go");
  });

  story("a hundred timers of one instance, and one timer of a hundred instances, fire once each", async (world) => {
    const many = orchestrator("many", async (ctx, n: number) => {
      const fired = await ctx.whenAll(Array.from({ length: n }, (_, i) => ctx.createTimer({ milliseconds: (i % 3) * world.unitMs })));
      return fired.length;
    });
    await world.work({ orchestrators: [many] });
    const wide = await world.hub.start(many, 100);
    assert.equal(await world.output(wide), 100);
    assert.equal(ofKind(await historyOf(wide), "TimerFired").length, 100);
    const instances = await Promise.all(Array.from({ length: 100 }, () => world.hub.start(many, 1)));
    assert.deepEqual(new Set(await world.until(Promise.all(instances.map((instance) => instance.result())))), new Set([1]));
  });

  story("a time that is none is refused at the call", async (world) => {
    const bad = orchestrator("bad", async (ctx) => {
      const codes: unknown[] = [];
      for (const due of [new Date(Number.NaN), "soon" as "1s", { seconds: -1 }, {} as never, new Date(Date.UTC(10_000, 0, 1))]) {
        try {
          void ctx.createTimer(due).isCompleted;
          codes.push(JSON.stringify(due));
        } catch (error) {
          codes.push((error as { code?: unknown }).code);
        }
      }
      return codes;
    });
    await world.work({ orchestrators: [bad] });
    const codes = await world.output(await world.hub.start(bad));
    assert.deepEqual(
      codes.filter((_, i) => i !== 3),
      ["INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_ARGUMENT"],
    );
  });

  story("a timer beside an activity: whichever is first, the other one does no harm", async (world) => {
    const go = signal();
    const slow = activity("slow", async () => {
      await go.given;
      return "slow";
    });
    const races = orchestrator("races", async (ctx) => {
      const work = ctx.callActivity(slow);
      const timer = ctx.createTimer({ milliseconds: world.unitMs });
      const winner = await ctx.whenAny([work, timer]);
      ctx.setCustomStatus(winner === timer ? "late" : "in time");
      return [winner === timer, await work];
    });
    await world.work({ orchestrators: [races], activities: [slow] });
    const instance = await world.hub.start(races);
    await world.seen(instance, (status) => status.customStatus === "late", "passes");
    go.give();
    assert.deepEqual(await world.output(instance), [true, "slow"]);
  });
};
