// work-out: what is out with workers, found again by its token.
//
// Always:  WO1 a token names one hand-out and no other, ever: what has been taken back is never found by it again.
//          WO2 putting and taking leave no garbage. (A Map would: each time its table is renewed the old one keeps what it held, and a dead
//             one in the old generation keeps all that followed it alive.)

/** Where a token's place ends and its serial number begins. */
const PLACES = 2 ** 21;
const FAMILIES = 3;

interface Place<T> {
  token: number;
  value: T | undefined;
}

/** Things that are out, each under a token of its own. */
export class WorkOut<T> {
  readonly #places: Place<T>[] = [];
  readonly #free: number[] = [];
  #serial: number;

  /** `family`: two tables of one backend never give the same token when their families differ. */
  constructor(family: 0 | 1 | 2) {
    this.#serial = FAMILIES + family;
  }

  /** Keeps a value, and gives the token by which it is found. */
  put(value: T): number {
    let place = this.#free.pop();
    if (place === undefined) {
      place = this.#places.length;
      this.#places.push({ token: 0, value: undefined });
    }
    const token = this.#serial * PLACES + place;
    this.#serial += FAMILIES;
    const at = this.#places[place]!;
    at.token = token;
    at.value = value;
    return token;
  }

  /** Takes a value back; `undefined` when nothing is out under this token (any more). */
  take(token: unknown): T | undefined {
    if (typeof token !== "number") return undefined;
    const place = token % PLACES;
    const at = this.#places[place];
    if (at === undefined || at.token !== token) return undefined;
    const { value } = at;
    at.token = 0;
    at.value = undefined;
    this.#free.push(place);
    return value;
  }

  get size(): number {
    return this.#places.length - this.#free.length;
  }

  /** Visits what is out. What is visited may be taken meanwhile. */
  each(visit: (value: T, token: number) => void): void {
    for (const { token, value } of this.#places) if (value !== undefined) visit(value, token);
  }
}
