// due-heap: what becomes due next, at the front.
//
// Owns:    the order by due time, ties by number. An item knows its place, so it can be taken out from anywhere.
// Always:  an item is in at most one heap; `place` is -1 while it is in none.

/** What can stand in a heap. */
export interface Due {
  dueAt: number;
  readonly tie: number;
  place: number;
}

/** A binary heap of due things. */
export class DueHeap<T extends Due> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** What is due first. */
  first(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** Takes the first one out. */
  shift(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes an item out that stands here. */
  remove(item: T): void {
    const place = item.place;
    item.place = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    if (place > 0 && before(last, this.#items[(place - 1) >> 1] as T)) this.#rise(last, place);
    else this.#sink(last, place);
  }

  #rise(item: T, from: number): void {
    const items = this.#items;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = items[above] as T;
      if (!before(item, parent)) break;
      items[place] = parent;
      parent.place = place;
      place = above;
    }
    items[place] = item;
    item.place = place;
  }

  #sink(item: T, from: number): void {
    const items = this.#items;
    const size = items.length;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= size) break;
      if (below + 1 < size && before(items[below + 1] as T, items[below] as T)) below++;
      const child = items[below] as T;
      if (!before(child, item)) break;
      items[place] = child;
      child.place = place;
      place = below;
    }
    items[place] = item;
    item.place = place;
  }
}

function before(a: Due, b: Due): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.tie < b.tie);
}
