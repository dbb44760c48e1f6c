// numbers: whole numbers, as the protocol's fields take them.
//
// Always:  N1 a number that fits no field becomes the nearest that does: "as much as there is" is written as infinity by some.

const LARGEST_INT32 = 2_147_483_647;

/** A number for a field of 64 bits; `undefined` where there is none. */
export function encodeInt64<N extends number | undefined>(value: N): bigint | (N & undefined) {
  if (value === undefined) return undefined as N & undefined;
  return BigInt(Math.round(Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)));
}

/** The number of a field of 64 bits; `undefined` where there is none. */
export function decodeInt64(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** A count for a field of 32 bits; 0 where there is none. */
export function encodeCount(value: number | undefined): number {
  return value === undefined ? 0 : Math.round(Math.min(Math.max(value, 0), LARGEST_INT32));
}
