// in-parallel: something done with each item of a list that may be long, several at a time.
//
// Always:  P1 at most so many items are held at once: the next one is taken when a place is free.
//          P2 the first error ends it: no further item is taken, and the list is told that it is not read on.

/**
 * Runs `apply` for each item, at most `parallel` at a time. Rejects with the first error, or with the signal's reason.
 *
 * @example
 * await inParallel(readHistories("./histories"), 8, async (document) => look(document));
 */
export async function inParallel<T>(
  items: Iterable<T> | AsyncIterable<T>,
  parallel: number,
  apply: (item: T) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  let done = false;
  let turn: Promise<unknown> = Promise.resolve();

  /** One `next` at a time: not every iterator bears more. */
  const take = (): Promise<IteratorResult<T>> => {
    const taken = turn.then(async () => {
      signal?.throwIfAborted();
      return done || failure !== undefined ? { done: true as const, value: undefined } : await iterator.next();
    });
    turn = taken.catch(() => undefined);
    return taken;
  };
  const lane = async (): Promise<void> => {
    try {
      for (;;) {
        const next = await take();
        if (next.done === true) {
          done = true;
          return;
        }
        await apply(next.value);
      }
    } catch (error) {
      failure ??= { error };
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
  if (failure === undefined) return;
  await iterator.return?.();
  throw failure.error;
}
