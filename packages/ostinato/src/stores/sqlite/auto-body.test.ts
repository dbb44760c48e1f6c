// Where the connection works, and that it changes hands without losing anything.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { idsOf, startOf, startAndClaim, turnOf, messageTo } from "../../conformance/store/stories.ts";
import { nextLoopTurn } from "../../platform/standstill.ts";
import { ColumnReader } from "../sql/read-rows.ts";
import { pushCommit } from "../sql/write-commit.ts";
import { openAuto } from "./auto-body.ts";
import type { ConnectionOptions } from "./connection.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { SqliteStoreOptions } from "./sqlite-store.ts";
import { COMMIT, DONE, OPEN, pushOperation, QUERY } from "./wire.ts";
import type { Wire } from "./wire.ts";

function fileOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-auto-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "hub.db");
}

/** A body, and what it answers. Whether an answer was there when `send` came back tells where the group was carried out. */
async function bodyOf(t: TestContext, options: Partial<ConnectionOptions> = {}) {
  const replies: Wire[] = [];
  let wake = (): void => undefined;
  const path = fileOf(t);
  const body = await openAuto(
    { path, readOnly: false, walPages: 1_000, ...options },
    {
      onReply(reply) {
        replies.push(reply);
        wake();
      },
      onLost: (error) => assert.fail(error),
    },
  );
  t.after(() => body.close());
  /** Sends a group; true when the answer was there at once: it was carried out here. */
  const sentHere = (group: Wire): boolean => {
    const before = replies.length;
    body.send(group);
    return replies.length > before;
  };
  const answers = async (count: number): Promise<void> => {
    await nextLoopTurn(); // an answer may be there at once; the thread's word that it is up needs its turn
    while (replies.length < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  assert.ok(sentHere(groupOf(OPEN, 0, (to) => to.push("default"))));
  const owner = replies[0]?.at(-1) as number;
  let started = 0;
  const starts = (count: number): Wire => {
    const group: Wire = [];
    for (let i = 0; i < count; i++) pushOperation(group, COMMIT, owner, (to) => pushCommit(startOf(`i-${started++}`), undefined, to));
    return group;
  };
  const query = (): Wire => groupOf(QUERY, owner, (to) => to.push(0, 10_000, "{}"));
  return { path, sentHere, answers, replies, starts, query };
}

function groupOf(code: number, owner: number, write: (to: Wire) => void): Wire {
  const group: Wire = [];
  pushOperation(group, code, owner, write);
  return group;
}

/** The operation codes of a reply to commits: how many were done. */
function countDone(reply: Wire): number {
  const from = new ColumnReader(reply);
  from.position = 4 + (reply[3] as number);
  let done = 0;
  while (from.position < reply.length) {
    if (from.number() === DONE) done++;
    from.number();
  }
  return done;
}

/** Sends single starts until one goes the way that is asked for. Each is answered before the next. */
async function untilSent(where: "here" | "there", body: Awaited<ReturnType<typeof bodyOf>>): Promise<void> {
  for (;;) {
    const count = body.replies.length + 1;
    const isHere = body.sentHere(body.starts(1));
    await body.answers(count);
    if (isHere === (where === "here")) return;
  }
}

describe("a connection that works wherever is better", () => {
  it("carries out few operations in the caller's thread, and many in its own", async (t) => {
    const body = await bodyOf(t);
    await untilSent("here", body);
    let sent = body.replies.length;
    // The thread may not be up yet; it is in a moment.
    while (body.sentHere(body.starts(100))) await body.answers(++sent);
    await body.answers(sent + 1);
    assert.equal(countDone(body.replies.at(-1)!), 100);
  });

  it("comes back when there is little to do, and answers what was asked meanwhile in order", async (t) => {
    const body = await bodyOf(t, { slowCommitMs: Number.POSITIVE_INFINITY });
    await untilSent("here", body);
    let sent = body.replies.length;
    while (body.sentHere(body.starts(100))) await body.answers(++sent);
    const from = body.replies.length;
    for (let i = 0; i < 20; i++) body.sentHere(body.starts(i + 1));
    await body.answers(sent + 21);
    assert.deepEqual(
      body.replies.slice(from + 1).map(countDone),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    await untilSent("here", body);
  });

  it("leaves a slow disk to the thread after it has held the event loop", async (t) => {
    const body = await bodyOf(t, { commitDelayMs: 30 });
    await untilSent("there", body);
    assert.ok(body.replies.length <= 200, "it has taken more than 200 slow commits to notice");
    for (let i = 0; i < 10; i++) assert.equal(body.sentHere(body.starts(1)), false, "a slow commit held the event loop again");
  });

  it("asks the thread for what may take long", async (t) => {
    const body = await bodyOf(t);
    let sent = body.replies.length;
    while (body.sentHere(body.query())) await body.answers(++sent);
    await body.answers(sent + 1);
  });

  it("carries the log over beside the writing, so that it does not grow without end", async (t) => {
    const body = await bodyOf(t, { walPages: 100, slowCommitMs: Number.POSITIVE_INFINITY });
    const sizes: number[] = [];
    for (let i = 1; i <= 1_500; i++) {
      body.sentHere(body.starts(1));
      await body.answers(1 + i);
      if (i % 500 === 0) sizes.push(statSync(`${body.path}-wal`).size);
    }
    // All that is written here is more than 30 MB. How far the log gets while the thread carries it over depends on the machine.
    assert.ok(sizes[2]! < 8_000_000, `the log has grown: ${sizes.join(", ")} bytes`);
  });

  it("S1 S2 keeps leases, numbers and what was handed out when it changes hands after every group", async (t) => {
    const path = fileOf(t);
    const options: SqliteStoreOptions = { path, body: "auto", testing: { restless: true } };
    const store = openSqliteStore(options);
    await store.open();
    t.after(() => store.close());
    let claim = await startAndClaim(store, "a");
    const numbers = new Set<number>();
    for (let turn = 1; turn <= 20; turn++) {
      const commit = turnOf(claim.record, claim.messages, { messages: [messageTo("a", `m${turn}`)] });
      const [result] = await store.commit([commit]);
      assert.ok(result?.ok === true, JSON.stringify(result));
      assert.deepEqual(idsOf(result.arrived), [`m${turn}`]);
      claim = { ...claim, record: commit.record!, messages: result.arrived };
      const [other] = await store.commit([startOf(`other-${turn}`)]);
      assert.ok(other?.ok === true && !numbers.has(other.number) && other.number !== claim.number);
      numbers.add(other.number);
    }
  });
});
