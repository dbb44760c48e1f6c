// The fuzz in a few seconds: some thousand messages in this process, some hundred over sockets; that a message is reproduced by its number;
// that what should be found is found.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WireError } from "../../packages/grpc/src/transport/wire-error.ts";
import { METHODS } from "../../packages/grpc/src/codec/messages.ts";
import { chanceOf } from "../simulation/chance.ts";
import { assault, newFuzzTally } from "./assault.ts";
import type { Shot } from "./attacker.ts";
import { grow } from "./grow.ts";
import { MUTATION_NAMES } from "./mutate.ts";
import { assaultSockets } from "./sockets.ts";
import { read, write } from "./tree.ts";
import { verdictOf } from "./verdict.ts";

const SEED = 2_026;

test("R8 V4 SEC6 three thousand messages that nobody should send change nothing for the honest, and leave nothing behind", async () => {
  const tally = newFuzzTally();
  const findings = await assault({ seed: SEED, from: 0, messages: 3_000, tally });
  assert.deepEqual(
    findings.map(({ message, what }) => `seed ${SEED}, message ${message}: ${what}`),
    [],
  );
  assert.deepEqual(
    MUTATION_NAMES.filter((name) => !tally.damages.has(name)),
    [],
  );
  assert.ok((tally.statuses.get("CompleteOrchestratorTask OK") ?? 0) > 50, "attackers that are never believed attack the first line alone");
  assert.ok((tally.statuses.get("CompleteEntityTask OK") ?? 0) > 20, "attackers have entities, too");
});

test("SEC8 over real connections, too, with frames by hand", async () => {
  const said: string[] = [];
  assert.ok(await assaultSockets({ seed: SEED, messages: 600, say: (line) => said.push(line) }), said.join("\n"));
});

test("the same seed sends the same messages, byte for byte, and is answered the same", async () => {
  const once = async (): Promise<string[]> => {
    const seen: string[] = [];
    const watch = (message: number, shot: Shot): void =>
      void seen.push(`${message} ${shot.move} ${Buffer.from(shot.bytes).toString("hex")}`);
    const answered = (message: number, status: string): void => void seen.push(`${message} ${status}`);
    await assault({ seed: SEED, from: 10_000, messages: 400, tally: newFuzzTally(), watch, answered });
    return seen;
  };
  assert.deepEqual(await once(), await once());
});

test("a message that is grown from its schema reads back as the same bytes", () => {
  for (let seed = 0; seed < 200; seed++) {
    const chance = chanceOf(seed, "round trip");
    for (const { request } of Object.values(METHODS)) {
      const bytes = write(grow(request, chance, { now: 1_735_689_600_000, likely: {} }));
      const fields = read(bytes, request);
      assert.ok(fields !== undefined, `seed ${seed}, ${request.typeName}`);
      assert.deepEqual(write(fields), bytes, `seed ${seed}, ${request.typeName}`);
    }
  }
});

test("the verdict finds a status without an idea, a stack, a stolen token that is believed, and a stranger who is answered", () => {
  const shot: Shot = {
    move: "call",
    method: "GetInstance",
    hub: "wild",
    caller: "attacker",
    ours: false,
    bytes: new Uint8Array(),
    damage: [],
    demand: undefined,
    timeoutMs: 1_000,
  };
  const refused = (status: "INTERNAL" | "UNKNOWN" | "NOT_FOUND", text: string): string | undefined =>
    verdictOf(shot, { kind: "error", error: new WireError(status, text) }, false);
  const answered = { kind: "reply", reply: { message: new Uint8Array(), metadata: {} } } as const;
  assert.equal(refused("NOT_FOUND", "There is no instance 'a'."), undefined);
  assert.match(refused("INTERNAL", "oh") ?? "", /INTERNAL/);
  assert.match(refused("UNKNOWN", "oh") ?? "", /UNKNOWN/);
  assert.match(refused("NOT_FOUND", "Error: oh\n    at Object.unary (file:///a/b.ts:1:2)") ?? "", /tells of our files/);
  assert.match(verdictOf(shot, { kind: "error", error: new Error("oh") }, false) ?? "", /no status/);
  assert.equal(verdictOf(shot, answered, false), undefined);
  assert.match(verdictOf({ ...shot, demand: "refused" }, answered, false) ?? "", /was accepted/);
  assert.equal(verdictOf({ ...shot, demand: "refused while live" }, answered, false), undefined);
  assert.match(verdictOf({ ...shot, demand: "refused while live" }, answered, true) ?? "", /not the attacker's/);
  assert.match(verdictOf({ ...shot, caller: "stranger" }, answered, false) ?? "", /without a valid token/);
  assert.match(verdictOf({ ...shot, caller: "viewer", method: "PurgeInstances" }, answered, false) ?? "", /only look/);
});
