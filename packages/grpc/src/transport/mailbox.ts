// mailbox: messages that come when they come, read one after the other.
//
// Owns:    the order, and the end.
// Always:  read by one reader; nothing is taken after the end.

/** A queue that is read with `for await`. */
export interface Mailbox<T> extends AsyncIterable<T> {
  readonly size: number;
  push(item: T): void;
  /** What lies in it is still read; then the reader's loop ends. */
  end(): void;
  /** Drops what lies in it, too. */
  drop(): void;
}

/** Makes an empty mailbox. `taken` is called each time the reader has taken something. */
export function createMailbox<T>(taken: (item: T) => void = () => undefined): Mailbox<T> {
  const items: T[] = [];
  let first = 0;
  let over = false;
  let reader: ((result: IteratorResult<T, undefined>) => void) | undefined;
  const done = { done: true, value: undefined } as const;

  const take = (): T => {
    const item = items[first]!;
    first += 1;
    if (first > 64 && first * 2 > items.length) {
      items.splice(0, first);
      first = 0;
    }
    taken(item);
    return item;
  };
  const end = (): void => {
    over = true;
    if (reader === undefined || items.length > first) return;
    const answer = reader;
    reader = undefined;
    answer(done);
  };
  return {
    get size() {
      return items.length - first;
    },
    push(item) {
      if (over) return;
      items.push(item);
      if (reader === undefined) return;
      const answer = reader;
      reader = undefined;
      answer({ done: false, value: take() });
    },
    end,
    drop() {
      items.length = 0;
      first = 0;
      end();
    },
    [Symbol.asyncIterator]() {
      return {
        next() {
          if (items.length > first) return Promise.resolve({ done: false as const, value: take() });
          if (over) return Promise.resolve(done);
          return new Promise((resolve) => (reader = resolve));
        },
        return() {
          over = true;
          items.length = 0;
          first = 0;
          return Promise.resolve(done);
        },
      };
    },
  };
}
