// Reads for decisions: in order, together, and each with its own answer.
import assert from "node:assert/strict";
import { it } from "node:test";
import { StoreFormatError } from "../../contract/errors.ts";
import type { InstanceId } from "../../contract/ids.ts";
import type { StoredInstance } from "../../contract/instance.ts";
import { recordOf } from "../../conformance/store/stories.ts";
import { nextLoopTurn } from "../../platform/standstill.ts";
import { ReadLine } from "./read-line.ts";

/** A database that answers when it is told to, with everything that is asked for but "nobody". */
function database() {
  const questions: { readonly ids: readonly InstanceId[]; readonly answer: () => void; readonly fail: (error: Error) => void }[] = [];
  const readAll = (ids: readonly InstanceId[]): Promise<readonly (StoredInstance | undefined)[]> =>
    new Promise((resolve, reject) => {
      const found = ids.map((id) => (id === "nobody" ? undefined : { record: recordOf(id), payloads: {} }));
      questions.push({ ids, answer: () => resolve(found), fail: reject });
    });
  return { questions, line: new ReadLine(readAll) };
}

it("I5 asks one question at a time, and answers in the order in which it was asked", async () => {
  const { questions, line } = database();
  const order: string[] = [];
  const ask = (id: string): void => void line.read(id).then((found) => order.push(`${id}: ${found?.record.id ?? "none"}`));
  for (const id of ["a", "b", "a"]) ask(id);
  await nextLoopTurn();
  for (const id of ["c", "nobody", "a"]) ask(id);
  await nextLoopTurn();
  assert.deepEqual(
    questions.map(({ ids }) => ids),
    [["a", "b"]],
  );
  questions[0]!.answer();
  await nextLoopTurn();
  assert.deepEqual(questions[1]!.ids, ["c", "nobody", "a"]);
  questions[1]!.answer();
  await nextLoopTurn();
  assert.deepEqual(order, ["a: a", "b: b", "a: a", "c: c", "nobody: none", "a: a"]);
});

it("a question that fails fails for those who asked it, and the next one goes on", async () => {
  const { questions, line } = database();
  const lost = assert.rejects(line.read("a"), /gone/);
  await nextLoopTurn();
  const next = line.read("b");
  questions[0]!.fail(new Error("the connection is gone"));
  await lost;
  await nextLoopTurn();
  questions[1]!.answer();
  assert.equal((await next)?.record.id, "b");
});

it("splits what is too much for one question", async () => {
  const { questions, line } = database();
  const all = Promise.all(Array.from({ length: 1_500 }, (_, i) => line.read(`i${i}`)));
  await nextLoopTurn();
  questions[0]!.answer();
  await nextLoopTurn();
  assert.deepEqual(
    questions.map(({ ids }) => ids.length),
    [1_000, 500],
  );
  questions[1]!.answer();
  assert.equal((await all)[1_499]?.record.id, "i1499");
});

it("D5 a record that cannot be read spoils nobody else's reading", async () => {
  const line = new ReadLine(async (ids) => {
    if (ids.includes("damaged")) throw new StoreFormatError("The record of instance 'damaged' cannot be read.");
    return ids.map((id) => ({ record: recordOf(id), payloads: {} }));
  });
  const [one, damaged, other] = await Promise.allSettled(["a", "damaged", "b"].map((id) => line.read(id)));
  assert.deepEqual([one?.status, damaged?.status, other?.status], ["fulfilled", "rejected", "fulfilled"]);
});
