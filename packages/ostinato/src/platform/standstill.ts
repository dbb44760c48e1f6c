// standstill: knows when every microtask has run.
//
// Owns:    one drain of the microtask queue, shared by all who ask for it in the same moment.
// Always:  P1 whoever awaits `settle()` goes on after all microtasks that were there, and all that these made, have run.
//          P2 no timer and no I/O callback runs in between, but for the yields of P3.
//          P3 the event loop gets its turn after at most `YIELD_AFTER_MS` of uninterrupted work.
//
// A tick asked for *from a microtask* runs when the queue of microtasks is empty, before the event loop goes on. That is four times as fast
// as a setImmediate, and nothing else of the platform comes between.

/** How long work may go on before the event loop gets its turn. */
const YIELD_AFTER_MS = 4;

/** Waiting for standstill, and for the event loop. */
export interface Standstill {
  /** Resolves when every microtask has run. */
  readonly settle: () => Promise<void>;
  /** To be asked before a piece of work begins: `undefined` when it may begin at once, else a promise to wait for. */
  readonly breathe: () => Promise<void> | undefined;
}

/**
 * Makes a shared standstill.
 *
 * @example
 * const { settle } = createStandstill();
 * await settle(); // every microtask has run
 */
export function createStandstill(): Standstill {
  let settling: Promise<void> | undefined;
  let wake: () => void = () => undefined;
  let breathing: Promise<void> | undefined;
  /** When work began in this turn of the loop, and whether this is still the same turn. */
  let begunAt = 0;
  let isSameTurn = false;
  const turnEnds = (): void => {
    isSameTurn = false;
  };

  /** How long work has gone on in this turn of the loop. The first who asks in a turn begins it. */
  const workedMs = (): number => {
    const now = performance.now();
    if (isSameTurn) return now - begunAt;
    isSameTurn = true;
    begunAt = now;
    setImmediate(turnEnds);
    return 0;
  };

  const flush = (): void => {
    const resolve = wake;
    settling = undefined;
    if (workedMs() <= YIELD_AFTER_MS) resolve();
    else setImmediate(resolve);
  };
  const afterMicrotasks = (): void => process.nextTick(flush);

  const settle = (): Promise<void> => {
    if (settling !== undefined) return settling;
    settling = new Promise<void>((resolve) => {
      wake = resolve;
    });
    queueMicrotask(afterMicrotasks);
    return settling;
  };

  const breathe = (): Promise<void> | undefined => {
    if (breathing !== undefined) return breathing;
    if (workedMs() <= YIELD_AFTER_MS / 2) return undefined;
    breathing = new Promise<void>((resolve) => {
      setImmediate(() => {
        breathing = undefined;
        resolve();
      });
    });
    return breathing;
  };

  return { settle, breathe };
}

/**
 * Resolves when the event loop has gone round once.
 *
 * @example
 * await nextLoopTurn();
 */
export function nextLoopTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
