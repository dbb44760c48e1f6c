// lately: what was seen last, by key, in bounded memory.
//
// Always:  LA1 at least so many are remembered, at most twice as many. They are forgotten by halves: a map that loses its oldest entry at every
//             step is dear to walk.

/** What was seen last. */
export interface Lately<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
}

/** Remembers at least so many. */
export function createLately<V>(atLeast: number): Lately<V> {
  let now = new Map<string, V>();
  let before = new Map<string, V>();
  return {
    get: (key) => now.get(key) ?? before.get(key),
    set(key, value) {
      if (now.size >= atLeast) {
        before = now;
        now = new Map();
      }
      now.set(key, value);
    },
    delete(key) {
      now.delete(key);
      before.delete(key);
    },
  };
}
