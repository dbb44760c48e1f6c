// main-loop-signs: what the thread that renews can see of the main loop, without asking it.
//
// Owns:    the layout of the memory that both share: a count of turns, and a text.
// Always:  writing a sign costs less than a microsecond and waits for nobody.

/** So many bytes of text are kept; an id has 256 characters at most. */
const TEXT_BYTES = 800;
const HEAD_BYTES = 8;

/** The signs of one main loop. */
export interface MainLoopSigns {
  readonly memory: SharedArrayBuffer;
  readonly turned: () => void;
  readonly turns: () => number;
  /** What was handed out last. */
  readonly entered: (what: string) => void;
  readonly lastEntered: () => string;
}

/** Signs in memory of their own, or in what the other side has made. */
export function mainLoopSigns(memory: SharedArrayBuffer = new SharedArrayBuffer(HEAD_BYTES + TEXT_BYTES)): MainLoopSigns {
  const head = new Int32Array(memory, 0, 2);
  const text = Buffer.from(memory, HEAD_BYTES, TEXT_BYTES);
  return {
    memory,
    turned: () => void Atomics.add(head, 0, 1),
    turns: () => Atomics.load(head, 0),
    entered: (what) => void Atomics.store(head, 1, text.write(what)),
    // Read while the main loop stands still, so nobody writes.
    lastEntered: () => text.toString("utf8", 0, Atomics.load(head, 1)),
  };
}
