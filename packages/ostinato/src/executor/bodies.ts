// bodies: the forms of a body, each brought to its end.
//
// Owns:    how async functions, plain functions, generators and async generators are carried on.
// Is told: what calling the body gave.
// Tells:   the value it ended with or the error it threw, once.
// Always:  B1 a generator waits for the task it yields and is carried on as soon as that settles, without a promise in between.
//          B2 whatever goes on outside of a delivery is a mistake that is remembered, and never thrown into the void.

import { isThenable } from "../authoring/thenable.ts";
import { type DurableTask, DurableTask as Task, wait, type Waiter } from "./tasks.ts";
import type { Turn } from "./turn.ts";

/** Who is told of a body's end. */
export interface Follower {
  returned(value: unknown): void;
  threw(error: unknown): void;
}

/** Calls a body and carries it to its end. */
export function runBody(turn: Turn, call: () => unknown, follower: Follower): void {
  let given: unknown;
  try {
    given = call();
  } catch (error) {
    follower.threw(error);
    return;
  }
  if (isIterator(given) && Symbol.iterator in given)
    new GeneratorRun(turn, given as Iterator<unknown, unknown>, follower).resume(true, undefined);
  else if (isIterator(given) && Symbol.asyncIterator in given) followPromise(turn, lastOf(given as AsyncIterator<unknown>), follower);
  else followValue(turn, given, follower);
}

/** A task, a promise, or a value: what a body ended with. */
function followValue(turn: Turn, value: unknown, follower: Follower): void {
  if (value instanceof Task) followTask(value, follower);
  else if (isThenable(value)) followPromise(turn, value, follower);
  else follower.returned(value);
}

function followTask(task: DurableTask, follower: Follower): void {
  const waiter: Waiter = {
    settled(settled) {
      if (settled.state === "failed") follower.threw(settled.value);
      else follower.returned(settled.value);
    },
  };
  if (task.state === "open") wait(task, waiter, true);
  else waiter.settled(task);
}

function followPromise(turn: Turn, promise: PromiseLike<unknown>, follower: Follower): void {
  turn.ledger.asynchronous = true;
  turn.ledger.woke = true;
  promise.then(
    (value) => (turn.delivering || turn.over ? follower.returned(value) : turn.late("the end of the program, or of a part of it,")),
    (error: unknown) =>
      turn.delivering || turn.over ? follower.threw(error) : turn.late("the failure of the program, or of a part of it,"),
  );
}

/** The runtime itself awaits what an async generator yields, so it is handed back what it gives. */
async function lastOf(generator: AsyncIterator<unknown>): Promise<unknown> {
  let step = await generator.next();
  while (step.done !== true) step = await generator.next(step.value);
  return step.value;
}

class GeneratorRun implements Waiter {
  readonly #turn: Turn;
  readonly #generator: Iterator<unknown, unknown>;
  readonly #follower: Follower;

  constructor(turn: Turn, generator: Iterator<unknown, unknown>, follower: Follower) {
    this.#turn = turn;
    this.#generator = generator;
    this.#follower = follower;
  }

  settled(task: DurableTask): void {
    this.resume(task.state === "completed", task.value);
  }

  resume(ok: boolean, value: unknown): void {
    for (;;) {
      let step: IteratorResult<unknown, unknown>;
      try {
        step = ok ? this.#generator.next(value) : throwInto(this.#generator, value);
      } catch (error) {
        this.#follower.threw(error);
        return;
      }
      const given = step.value;
      if (step.done === true) {
        followValue(this.#turn, given, this.#follower);
        return;
      }
      if (given instanceof Task) {
        if (given.state === "open") {
          wait(given, this, true);
          return;
        }
        ok = given.state === "completed";
        value = given.value;
      } else if (isThenable(given)) {
        followPromise(this.#turn, given, {
          returned: (result) => this.resume(true, result),
          threw: (error) => this.resume(false, error),
        });
        return;
      } else {
        ok = false;
        value = new TypeError(
          "The orchestrator yielded something that is no task; yield tasks of its context (ctx.callActivity and others).",
        );
      }
    }
  }
}

function throwInto(generator: Iterator<unknown, unknown>, error: unknown): IteratorResult<unknown, unknown> {
  if (generator.throw === undefined) throw error;
  return generator.throw(error);
}

function isIterator(value: unknown): value is { readonly next: unknown } {
  return typeof value === "object" && value !== null && !(value instanceof Task) && "next" in value && typeof value.next === "function";
}
