// completion-order: finished instances in order of completion, then of their ids.
//
// Always:  O1 adding at the end and removing at the front, which is what happens nearly always, cost next to nothing beside any number of places.

/** A place in the order. */
export interface Completion {
  readonly completedAt: number;
  readonly id: string;
}

/** The order. */
export interface CompletionOrder {
  add(place: Completion): void;
  remove(place: Completion): void;
  /** The places behind this one, which need not be there. */
  after(place: Completion): Iterable<Completion>;
}

/** An empty order. */
export function completionOrder(): CompletionOrder {
  let places: (Completion | undefined)[] = [];
  /** Keys of `places`, which stay when a place is emptied, so that it can be searched. */
  let keys: Completion[] = [];
  let empty = 0;

  const firstNotBefore = (place: Completion): number => {
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(keys[middle] as Completion, place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    add(place) {
      const at = firstNotBefore(place);
      const there = keys[at];
      if (there !== undefined && compare(there, place) === 0) {
        if (places[at] === undefined) empty--;
        places[at] = place;
      } else if (at === keys.length) {
        keys.push(place);
        places.push(place);
      } else {
        keys.splice(at, 0, place);
        places.splice(at, 0, place);
      }
    },
    remove(place) {
      const at = firstNotBefore(place);
      const there = places[at];
      if (there === undefined || compare(there, place) !== 0) return;
      places[at] = undefined;
      if (++empty > 1_000 && empty * 2 > places.length) {
        keys = places.filter((each) => each !== undefined);
        places = [...keys];
        empty = 0;
      }
    },
    *after(place) {
      let last = place;
      for (let at = firstNotBefore(place); at < places.length; at++) {
        const next = places[at];
        if (next === undefined || compare(next, last) <= 0) continue;
        last = next;
        yield next;
      }
    },
  };
}

function compare(a: Completion, b: Completion): number {
  return a.completedAt - b.completedAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
