// events: what is raised at an instance is received once, in order, whenever it came.

import assert from "node:assert/strict";
import { activity, externalEvent, orchestrator } from "../../index.ts";
import { historyOf, ofKind, refused, signal, type Chapter } from "./world.ts";

const approved = externalEvent<{ readonly by: string }>("approved");

export const events: Chapter = (story) => {
  story("a wait gets the event that is raised, with its data", async (world) => {
    const waits = orchestrator("waits", async (ctx) => (await ctx.waitForExternalEvent(approved)).by);
    await world.work({ orchestrators: [waits] });
    const instance = await world.hub.start(waits);
    await world.seen(instance, (status) => status.waitingFor.some((line) => line.includes("'approved'")));
    await instance.raiseEvent(approved, { by: "Ada" });
    assert.equal(await world.output(instance), "Ada");
    const [raised] = ofKind(await historyOf(instance), "EventRaised");
    assert.deepEqual([raised?.name, raised?.input], ["approved", '{"by":"Ada"}']);
  });

  story("names are compared without regard to case", async (world) => {
    const waits = orchestrator("waits", async (ctx) => [
      await ctx.waitForExternalEvent("Approval_RECEIVED"),
      await ctx.waitForExternalEvent("ÄRGER"),
      await ctx.waitForExternalEvent("third"),
    ]);
    await world.work({ orchestrators: [waits] });
    const instance = await world.hub.start(waits);
    await instance.raiseEvent("approval_received", 1);
    await instance.raiseEvent("ärger", 2);
    await instance.raiseEvent("THIRD", 3);
    assert.deepEqual(await world.output(instance), [1, 2, 3]);
  });

  story("I5 events that come before anybody waits are kept in their order, also before the first turn", async (world) => {
    const collects = orchestrator("collects", async (ctx) => {
      const got: number[] = [];
      for (let i = 0; i < 5; i++) got.push(await ctx.waitForExternalEvent<number>("n"));
      return got;
    });
    const instance = await world.hub.start(collects);
    for (let n = 0; n < 5; n++) await instance.raiseEvent("n", n);
    await world.work({ orchestrators: [collects] });
    assert.deepEqual(await world.output(instance), [0, 1, 2, 3, 4]);
  });

  story("I5 two and a half thousand events are received in the order in which they were accepted", async (world) => {
    const collects = orchestrator("collects", async (ctx, n: number) => {
      const got: number[] = [];
      while (got.length < n) got.push(await ctx.waitForExternalEvent<number>("n"));
      return got.every((each, i) => each === i);
    });
    const instance = await world.hub.start(collects, 2_500);
    for (let from = 0; from < 2_500; from += 100) {
      // Calls that are made one after the other keep their order, awaited or not.
      await Promise.all(Array.from({ length: 100 }, (_, i) => instance.raiseEvent("n", from + i)));
    }
    await world.work({ orchestrators: [collects] });
    assert.equal(await world.output(instance), true);
  });

  story("of several waits the oldest gets the next event, and each event completes one wait", async (world) => {
    const several = orchestrator("several", async (ctx) => {
      const waits = ["a", "b", "c"].map(async (label) => `${label}${await ctx.waitForExternalEvent<number>("n")}`);
      return await Promise.all(waits);
    });
    await world.work({ orchestrators: [several] });
    const instance = await world.hub.start(several);
    for (const n of [1, 2, 3]) await instance.raiseEvent("n", n);
    assert.deepEqual(await world.output(instance), ["a1", "b2", "c3"]);
  });

  story("data may be left out, and null is not the same as none", async (world) => {
    const waits = orchestrator("waits", async (ctx) => {
      const got = [await ctx.waitForExternalEvent("n"), await ctx.waitForExternalEvent("n"), await ctx.waitForExternalEvent("n")];
      return got.map((each) => (each === null ? "null" : typeof each));
    });
    await world.work({ orchestrators: [waits] });
    const instance = await world.hub.start(waits);
    await instance.raiseEvent("n");
    await instance.raiseEvent("n", null);
    await instance.raiseEvent("n", 0);
    assert.deepEqual(await world.output(instance), ["undefined", "null", "number"]);
  });

  story("an event for an instance that does not exist is an error", async (world) => {
    const error = await refused(world.hub.instance("nobody").raiseEvent("n", 1), "INSTANCE_NOT_FOUND");
    assert.match(error.message, /'nobody'/);
    assert.equal(await world.hub.instance("nobody").status(), undefined);
  });

  story("O2 an event for a finished instance is accepted, dropped and counted", async (world) => {
    const ends = orchestrator("ends", async () => "done");
    await world.work({ orchestrators: [ends] });
    const instance = await world.hub.start(ends);
    await world.output(instance);
    const before = world.counted("eventsDropped");
    const length = (await historyOf(instance)).length;
    await instance.raiseEvent("n", 1);
    assert.equal(world.counted("eventsDropped") - before, 1);
    assert.equal((await historyOf(instance)).length, length);
  });

  story("orchestrations send each other events", async (world) => {
    const asks = orchestrator("asks", async (ctx, other: string) => {
      ctx.sendEvent(other, approved, { by: ctx.instanceId });
      ctx.sendEvent(other, "plain", [1, 2]);
      return await ctx.waitForExternalEvent("answer");
    });
    const answers = orchestrator("answers", async (ctx) => {
      const { by } = await ctx.waitForExternalEvent(approved);
      const plain = await ctx.waitForExternalEvent("plain");
      ctx.sendEvent(by, "answer", { to: by, plain });
    });
    await world.work({ orchestrators: [asks, answers] });
    await world.hub.start(answers, undefined, { instanceId: "answering" });
    const instance = await world.hub.start(asks, "answering", { instanceId: "asking" });
    assert.deepEqual(await world.output(instance), { to: "asking", plain: [1, 2] });
    const sent = ofKind(await historyOf(instance), "EventSent");
    assert.deepEqual(
      sent.map(({ eventId, instanceId, name, input }) => [eventId, instanceId, name, input]),
      [
        [1, "answering", "approved", '{"by":"asking"}'],
        [2, "answering", "plain", "[1,2]"],
      ],
    );
  });

  story("an orchestration can send itself an event, and one with its very last turn", async (world) => {
    const self = orchestrator("self", async (ctx, other: string) => {
      ctx.sendEvent(ctx.instanceId, "n", "mine");
      const got = await ctx.waitForExternalEvent("n");
      ctx.sendEvent(other, "n", "last words");
      return got;
    });
    const waits = orchestrator("waits", async (ctx) => await ctx.waitForExternalEvent("n"));
    await world.work({ orchestrators: [self, waits] });
    const other = await world.hub.start(waits);
    assert.equal(await world.output(await world.hub.start(self, other.id)), "mine");
    assert.equal(await world.output(other), "last words");
  });

  story("an event that an orchestration sends to nobody, or to one that has ended, is dropped; the sender goes on", async (world) => {
    const ends = orchestrator("ends", async () => "done");
    const sends = orchestrator("sends", async (ctx, to: string) => {
      ctx.sendEvent(to, "n", 1);
      await ctx.createTimer("0s");
      return "sent";
    });
    await world.work({ orchestrators: [ends, sends] });
    assert.equal(await world.output(await world.hub.start(sends, "nobody")), "sent");
    assert.equal(await world.hub.instance("nobody").status(), undefined);
    const ended = await world.hub.start(ends);
    await world.output(ended);
    assert.equal(await world.output(await world.hub.start(sends, ended.id)), "sent");
    assert.equal(await world.output(ended), "done");
  });

  story("I5 an event goes to one wait of one execution: a wait that lost in first leaves it to the next", async (world) => {
    const go = signal();
    const done = activity("done", () => go.given);
    const takesBack = orchestrator("takesBack", async (ctx) => {
      const got = await ctx.first({ done: ctx.callActivity(done), event: ctx.waitForExternalEvent("n") });
      return [got.key, await ctx.waitForExternalEvent("n")];
    });
    await world.work({ orchestrators: [takesBack], activities: [done] });
    const instance = await world.hub.start(takesBack);
    await world.until(instance.waitForStart());
    go.give();
    await world.seen(instance, (status) => !status.waitingFor.some((line) => line.includes("activity")));
    await instance.raiseEvent("n", "for the second wait");
    assert.deepEqual(await world.output(instance), ["done", "for the second wait"]);
  });

  story("a wait that lost in whenAny stays a wait, and takes the next event, until it is cancelled", async (world) => {
    const now = activity("now", async () => "now");
    const stays = orchestrator("stays", async (ctx, cancels: boolean) => {
      const wait = ctx.waitForExternalEvent<string>("n");
      await ctx.whenAny([wait, ctx.callActivity(now)]);
      if (cancels) wait.cancel();
      const second = ctx.waitForExternalEvent<string>("n");
      ctx.setCustomStatus("waiting");
      const got = await second;
      return [got, wait.isCompleted, wait.isCancelled];
    });
    await world.work({ orchestrators: [stays], activities: [now] });
    const kept = await world.hub.start(stays, false);
    const cancelled = await world.hub.start(stays, true);
    for (const instance of [kept, cancelled]) {
      await world.seen(instance, (status) => status.customStatus === "waiting");
      await instance.raiseEvent("n", "one");
      await instance.raiseEvent("n", "two");
    }
    assert.deepEqual(await world.output(kept), ["two", true, false]);
    // A cancelled wait counts as settled, by its failure.
    const [got, , isCancelled] = await world.output(cancelled);
    assert.deepEqual([got, isCancelled], ["one", true]);
  });

  story("events with the same data from many senders all arrive", async (world) => {
    const counts = orchestrator("counts", async (ctx, n: number) => {
      for (let i = 0; i < n; i++) await ctx.waitForExternalEvent("tick");
      return n;
    });
    await world.work({ orchestrators: [counts] });
    const instance = await world.hub.start(counts, 200);
    await Promise.all(Array.from({ length: 200 }, () => world.hub.instance(instance.id).raiseEvent("tick", "same")));
    assert.equal(await world.output(instance), 200);
    assert.equal(ofKind(await historyOf(instance), "EventRaised").length, 200);
  });

  story("events that nobody waited for end with the instance, and do not disturb its end", async (world) => {
    const waits = orchestrator("waits", async (ctx) => await ctx.waitForExternalEvent("wanted"));
    await world.work({ orchestrators: [waits] });
    const instance = await world.hub.start(waits);
    await instance.raiseEvent("unwanted", 1);
    await instance.raiseEvent("wanted", 2);
    assert.equal(await world.output(instance), 2);
  });
};
