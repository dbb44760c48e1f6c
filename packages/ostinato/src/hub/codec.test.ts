import assert from "node:assert/strict";
import { test } from "node:test";
import { entity, openTaskHub, orchestrator, type PayloadCodec } from "ostinato";

/** Marks what is in the hub; text that comes out of it without the mark was let in without the codec. */
function markingCodec(): PayloadCodec & { readonly seen: string[] } {
  const seen: string[] = [];
  return {
    seen,
    encode: (text) => `<${text}>`,
    decode(text) {
      seen.push(text);
      assert.match(text, /^<[^<].*>$/s, "everything in the hub went through the codec once");
      return text.slice(1, -1);
    },
  };
}

const note = entity("note", { initial: () => "" }).operations({
  write: (state, text: string) => state.set(`${state.value}${text}`),
  tell: (state, to: string) => {
    state.entity(note, to).signal.write(state.value);
    state.startOrchestrator(echo, state.value, { instanceId: "echo" });
  },
});
const echo = orchestrator("echo", async (_, text: string) => text);
const reader = orchestrator("reader", async (ctx, key: string) => {
  const it = ctx.entity(note, key);
  it.signal.write("b");
  return await ctx.lockEntities([it], async () => await it.write("c"));
});

test("K1 inputs, states and results of entities pass through the codec wherever they go", async () => {
  const codec = markingCodec();
  await using hub = await openTaskHub("memory:", { codec });
  await using _ = await hub.startWorker({ orchestrators: [echo, reader], entities: [note] });
  await hub.entity(note, "one").signal.write("a");
  assert.equal(await (await hub.start(reader, "one")).result({ timeout: "20s" }), "abc");
  await hub.entity(note, "one").signal.tell("two");
  const tell = orchestrator("tell", async (ctx) => await ctx.entity(note, "two").write("!"));
  await using _also = await hub.startWorker({ orchestrators: [tell] });
  // The signal to "one" comes first at "one"; what it sends to "two" may come behind this call.
  assert.match(String(await (await hub.start(tell)).result({ timeout: "20s" })), /^(abc)?!$/);
  assert.equal(await hub.entity(note, "one").state(), "abc");
  const [first] = await hub.entities({ entity: note, keyPrefix: "one" });
  assert.equal(first?.state, "abc");
  assert.ok(codec.seen.length > 5);
});
