// bundle: what is said in one breath goes in one message.
//
// Always:  BU1 nothing waits longer than until everything that is ready has run; nothing is kept back for more to come.
//          BU2 a message has at most so many bytes, unless a single part has more.

const MOST_BYTES = 262_144;
/** What a part takes beside its own bytes, at most. */
const BESIDE_BYTES = 64;

/** Gathers parts, and sends those that were added in the same turn together. */
export function createBundle<T extends { readonly bytes: number }>(send: (parts: readonly T[]) => void): (part: T) => void {
  let parts: T[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (parts.length === 0) return;
    const ready = parts;
    parts = [];
    bytes = 0;
    send(ready);
  };
  return (part) => {
    const added = part.bytes + BESIDE_BYTES;
    if (bytes + added > MOST_BYTES) flush();
    // After all promises that are settled by now have been heard: one commit answers many calls.
    if (parts.length === 0) process.nextTick(flush);
    parts.push(part);
    bytes += added;
  };
}
