// limits: what cannot be stored is refused at the call, clearly, and nothing is lost or half done.

import assert from "node:assert/strict";
import { activity, orchestrator } from "../../index.ts";
import { refused, type Chapter } from "./world.ts";

/** The defaults. */
const PAYLOAD_BYTES = 4 * 1024 * 1024;
const CUSTOM_STATUS_BYTES = 16 * 1024;

/** A text whose payload, with its two quotes, has so many bytes. */
function textOf(bytes: number): string {
  return "x".repeat(bytes - 2);
}

const echo = orchestrator("echo", async (_ctx, value: unknown) => value);

const BAD_IDS: Readonly<Record<string, string>> = {
  empty: "",
  "of blanks": "  ",
  "too long": "x".repeat(257),
  "an entity's": "@counter@one",
  "with a NUL": "a\u0000b",
  "with a line break": "a\nb",
  "with half a surrogate pair": "a\ud800b",
};

export const limits: Chapter = (story) => {
  story(
    "an input, an event or an output of a terminate over the limit is refused, with the limit named, and nothing is written",
    async (world) => {
      await world.work({ orchestrators: [echo] });
      const big = textOf(PAYLOAD_BYTES + 1);
      const error = await refused(world.hub.start(echo, big, { instanceId: "big" }), "PAYLOAD_TOO_LARGE");
      assert.match(error.message, new RegExp(String(PAYLOAD_BYTES)));
      assert.equal(await world.hub.instance("big").status(), undefined);
      const waits = orchestrator("waits", async (ctx) => await ctx.waitForExternalEvent("n"));
      const instance = await world.hub.start(waits);
      await refused(instance.raiseEvent("n", big), "PAYLOAD_TOO_LARGE");
      await refused(instance.terminate({ output: big }), "PAYLOAD_TOO_LARGE");
      await world.work({ orchestrators: [waits] });
      await instance.raiseEvent("n", "small");
      assert.equal(await world.output(instance), "small");
    },
  );

  story("a payload of exactly the limit passes, through input, activity, event, child and output (A4)", async (world) => {
    const same = activity("same", async (_ctx, text: string) => text);
    const whole = textOf(PAYLOAD_BYTES);
    const all = orchestrator("all", async (ctx, text: string) => {
      const back = await ctx.callActivity(same, text);
      const raised = await ctx.waitForExternalEvent<string>("n");
      const child = await ctx.callSubOrchestrator(echo, text);
      return back === text && raised === text && child === text ? text : "changed";
    });
    await world.work({ orchestrators: [all, echo], activities: [same] });
    const instance = await world.hub.start(all, whole);
    await instance.raiseEvent("n", whole);
    const output = await world.output(instance);
    assert.ok(output === whole, `the output has ${output.length} characters of ${whole.length}`);
  });

  story("bytes are counted, not characters", async (world) => {
    await refused(world.hub.start(echo, "ö".repeat(PAYLOAD_BYTES / 2)), "PAYLOAD_TOO_LARGE");
    await world.hub.start(echo, "ö".repeat(PAYLOAD_BYTES / 2 - 1));
  });

  story("the result of an activity over the limit is a failure that is not retried", async (world) => {
    let runs = 0;
    const large = activity("large", async () => {
      runs++;
      return textOf(PAYLOAD_BYTES + 1);
    });
    const calls = orchestrator("calls", async (ctx) => {
      await ctx.callActivity(large, undefined, { retry: { maxNumberOfAttempts: 3, firstRetryInterval: { milliseconds: world.unitMs } } });
    });
    await world.work({ orchestrators: [calls], activities: [large] });
    const { failure } = await world.failure(await world.hub.start(calls));
    assert.equal(failure?.inner?.errorType, "PayloadTooLargeError");
    assert.equal(runs, 1);
  });

  story("what an orchestrator passes on over the limit throws at its call; an output over the limit fails it", async (world) => {
    const same = activity("same", async (_ctx, text: string) => text);
    const over = orchestrator("over", async (ctx) => {
      const big = textOf(PAYLOAD_BYTES + 1);
      const calls: (() => unknown)[] = [
        () => ctx.callActivity(same, big).isCompleted,
        () => ctx.callSubOrchestrator(echo, big).isCompleted,
        () => ctx.sendEvent("somebody", "n", big),
        () => ctx.continueAsNew(big),
        () => ctx.setCustomStatus(textOf(CUSTOM_STATUS_BYTES + 1)),
      ];
      const codes = calls.map((call) => {
        try {
          call();
          return "accepted";
        } catch (error) {
          return (error as { code?: unknown }).code;
        }
      });
      ctx.setCustomStatus(textOf(CUSTOM_STATUS_BYTES));
      await ctx.callActivity(same, "small");
      return codes;
    });
    const bigOutput = orchestrator("bigOutput", async () => textOf(PAYLOAD_BYTES + 1));
    await world.work({ orchestrators: [over, bigOutput], activities: [same] });
    const instance = await world.hub.start(over);
    assert.deepEqual(
      await world.output(instance),
      Array.from({ length: 5 }, () => "PAYLOAD_TOO_LARGE"),
    );
    assert.equal(((await instance.status())?.customStatus as string).length, CUSTOM_STATUS_BYTES - 2);
    assert.equal((await world.failure(await world.hub.start(bigOutput))).failure?.errorType, "PayloadTooLargeError");
  });

  story("an id that is bad is refused by every way to name it", async (world) => {
    for (const [what, id] of Object.entries(BAD_IDS)) {
      await refused(world.hub.start(echo, 1, { instanceId: id }), "INVALID_ARGUMENT");
      assert.throws(() => world.hub.instance(id), { code: "INVALID_ARGUMENT" }, what);
    }
    assert.deepEqual(await world.hub.query(), []);
  });

  story("an id may have every other character, up to 256 of them", async (world) => {
    await world.work({ orchestrators: [echo] });
    for (const id of ["x".repeat(256), "a/b?c#d%e&f", 'o\'brien "x" \\ ;--', "ü𝄞👩‍👩‍👧", "a:b@c", "../..", "CON", " inner  blanks"]) {
      const instance = await world.hub.start(echo, id, { instanceId: id });
      assert.equal(await world.output(instance), id);
      assert.equal((await world.hub.instance(id).status())?.id, id);
      assert.deepEqual(
        (await world.hub.query({ idPrefix: id })).map((status) => status.id),
        [id],
      );
    }
  });

  story("ids differ by case, and by every character", async (world) => {
    await world.work({ orchestrators: [echo] });
    const ids = ["id", "ID", "Id", "id ", "íd", "i\u0301d"];
    for (const id of ids) await world.hub.start(echo, id, { instanceId: id });
    for (const id of ids) assert.equal(await world.output(world.hub.instance(id)), id);
  });

  story("bad names of orchestrators, events, tags and versions are refused", async (world) => {
    const instance = await world.hub.start("fine");
    await refused(world.hub.start(""), "INVALID_ARGUMENT");
    await refused(world.hub.start("a\u0000b"), "INVALID_ARGUMENT");
    await refused(instance.raiseEvent(""), "INVALID_ARGUMENT");
    await refused(instance.raiseEvent("x".repeat(257)), "INVALID_ARGUMENT");
    await refused(world.hub.start("fine", 1, { version: "a\nb" }), "INVALID_ARGUMENT");
    await refused(world.hub.start("fine", 1, { tags: { "": "x" } }), "INVALID_ARGUMENT");
    await refused(world.hub.start("fine", 1, { startAt: new Date(Number.NaN) }), "INVALID_ARGUMENT");
    assert.throws(() => activity("", async () => 1), { code: "INVALID_ARGUMENT" });
    assert.throws(() => orchestrator("  ", async () => 1), { code: "INVALID_ARGUMENT" });
  });

  story("a value that cannot be written is refused at the call, with its path", async (world) => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    const bad: Readonly<Record<string, readonly [unknown, RegExp]>> = {
      "a function": [{ a: [() => 1] }, /a\[0\]/],
      "a symbol": [{ b: Symbol("s") }, /b/],
      "a cycle": [cycle, /self/],
      "a class": [{ c: new (class Secret {})() }, /Secret/],
      "a getter that throws": [
        {
          get f(): never {
            throw new Error("no");
          },
        },
        /f/,
      ],
      "a promise": [{ g: Promise.resolve(1) }, /g/],
    };
    for (const [what, [value, path]] of Object.entries(bad)) {
      const error = await refused(world.hub.start(echo, value), "PAYLOAD_INVALID");
      assert.match(error.message, path, what);
    }
    assert.deepEqual(await world.hub.query(), []);
  });

  story("R7 a turn that asks for more than it may fails with the limit's name", async (world) => {
    const endless = orchestrator("endless", async (ctx) => {
      for (let n = 0; n < 100_001; n++) ctx.sendEvent("nobody", "n");
    });
    await world.work({ orchestrators: [endless] });
    const { failure } = await world.failure(await world.hub.start(endless));
    assert.match(failure?.message ?? "", /100,?000/);
  });

  story("a worker's options that can never work are refused", async (world) => {
    for (const options of [
      { concurrency: { activities: 0 } },
      { concurrency: { orchestrations: 1.5 } },
      { warm: { bytes: -1 } },
      { orchestrator: [] } as object,
      { versioning: { matchStrategy: "exact" as never } },
      { concurrency: { activity: 3 } as object },
      { orchestrators: [orchestrator("contract", {}) as never] },
    ]) {
      await refused(world.hub.startWorker(options), "INVALID_ARGUMENT");
    }
  });
};
