// frames: messages on a stream of bytes, each behind a flag and its length.
//
// Owns:    where a message begins and ends.
// Is told: chunks, as they come from the network; how long a message may be; how much may lie around unfinished.
// Always:  what is declared too long is refused by its five bytes, before any of it is kept; memory for a message grows with what has come of
//          it, never with what was announced; what is kept does not depend on the size of the chunks.

import { WireError } from "./wire-error.ts";

const PREFIX_BYTES = 5;
const FIRST_PART_BYTES = 16_384;
const NOTHING: Buffer = Buffer.alloc(0);

/** A limit by its size, and the option by which it can be changed. */
export interface MessageLimit {
  readonly bytes: number;
  /** Whose option it is: `"listen"`, `"openChannel"`. */
  readonly option: string;
}

/** What unfinished messages may take together. */
export interface Budget {
  /** False when there is no room for so many more. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/** A part of what several have together. */
export interface Share extends Budget {
  /** Its owner has gone, and has given back what it had. */
  close(): void;
}

/** Room that several have together. */
export interface CommonBudget {
  /** A part of at most so many bytes. `giveWay` lets go of some of it: it is called when others need room and nobody has more than this one. */
  share(limit: number, giveWay: () => void): Share;
}

/** Room for so many bytes. When it is full, not who comes last is refused, but who has most has to give way. */
export function createCommonBudget(limit: number): CommonBudget {
  const shares = new Set<{ taken: number; readonly giveWay: () => void }>();
  let taken = 0;
  return {
    share(ownLimit, giveWay) {
      const own = { taken: 0, giveWay };
      shares.add(own);
      const makeRoom = (bytes: number): boolean => {
        while (taken + bytes > limit) {
          const before = taken;
          let most = own;
          for (const each of shares) if (each.taken > most.taken) most = each;
          if (most.taken <= own.taken + bytes) return false;
          most.giveWay();
          if (taken >= before) return false;
        }
        return true;
      };
      return {
        take(bytes) {
          if (own.taken + bytes > ownLimit || !makeRoom(bytes)) return false;
          own.taken += bytes;
          taken += bytes;
          return true;
        },
        give(bytes) {
          own.taken -= bytes;
          taken -= bytes;
        },
        close: () => void shares.delete(own),
      };
    },
  };
}

/** The message with its prefix, as it goes onto the network. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  return framed;
}

/** Cuts a stream of bytes into messages. */
export interface FrameReader {
  /** @throws WireError when what comes can never be a message */
  push(chunk: Buffer): void;
  /** Whether a message has begun that has not ended. */
  readonly unfinished: boolean;
  /** What it has taken of its budget. */
  readonly taken: number;
  /** Gives back what an unfinished message has taken. */
  release(): void;
}

/** Makes a reader that hands each message to `take`. */
export function createFrameReader(limit: MessageLimit, budget: Budget, take: (message: Uint8Array) => void): FrameReader {
  /** Made when a prefix comes in parts, which is seldom. */
  let prefix: Buffer = NOTHING;
  let prefixLength = 0;
  /** The length of the message that has begun; -1 between messages. */
  let length = -1;
  let body: Buffer = NOTHING;
  let filled = 0;
  let taken = 0;

  const release = (): void => {
    budget.give(taken);
    taken = 0;
    body = NOTHING;
    filled = 0;
  };
  const begin = (flag: number, declared: number): void => {
    if (flag === 1) throw new WireError("UNIMPLEMENTED", "the message is compressed, and only uncompressed ones are taken");
    if (flag !== 0) throw new WireError("INTERNAL", `a message cannot begin with the byte ${flag}`);
    if (declared > limit.bytes) {
      throw new WireError(
        "RESOURCE_EXHAUSTED",
        `a message of ${declared} bytes was announced, and at most ${limit.bytes} are taken; ${limit.option} has an option maxMessageBytes for that`,
      );
    }
    length = declared;
  };
  const grow = (needed: number): void => {
    const size = Math.min(length, Math.max(needed, body === NOTHING ? FIRST_PART_BYTES : body.length * 2));
    if (!budget.take(size - taken)) {
      throw new WireError("UNAVAILABLE", "too many unfinished messages lie here at once; send fewer, or smaller ones, at a time");
    }
    taken = size;
    const larger = Buffer.allocUnsafe(size);
    body.copy(larger, 0, 0, filled);
    body = larger;
  };
  /** Takes what belongs to the prefix from the chunk; returns where it ends. */
  const readPrefix = (chunk: Buffer, at: number): number => {
    if (prefixLength === 0 && chunk.length - at >= PREFIX_BYTES) {
      begin(chunk[at]!, chunk.readUInt32BE(at + 1));
      return at + PREFIX_BYTES;
    }
    if (prefix === NOTHING) prefix = Buffer.alloc(PREFIX_BYTES);
    const end = Math.min(chunk.length, at + PREFIX_BYTES - prefixLength);
    prefixLength += chunk.copy(prefix, prefixLength, at, end);
    if (prefixLength === PREFIX_BYTES) {
      prefixLength = 0;
      begin(prefix[0]!, prefix.readUInt32BE(1));
    }
    return end;
  };

  return {
    push(chunk) {
      let at = 0;
      while (at < chunk.length || length === 0) {
        if (length === -1) {
          at = readPrefix(chunk, at);
          continue;
        }
        if (filled === 0 && chunk.length - at >= length) {
          // All of it has come at once: the usual case, and nothing is copied.
          const message = chunk.subarray(at, at + length);
          at += length;
          length = -1;
          take(message);
          continue;
        }
        const part = Math.min(chunk.length - at, length - filled);
        if (filled + part > body.length) grow(filled + part);
        chunk.copy(body, filled, at, at + part);
        filled += part;
        at += part;
        if (filled < length) continue;
        const message = body;
        length = -1;
        release();
        take(message);
      }
    },
    get taken() {
      return taken;
    },
    get unfinished() {
      return prefixLength > 0 || length !== -1;
    },
    release,
  };
}
