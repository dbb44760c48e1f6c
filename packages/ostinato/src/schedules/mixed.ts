// mixed: a number that looks like chance and follows from a text.
//
// Always:  MX1 the same text gives the same number everywhere and for ever: jitter is computed again after a crash, and must not move.

/**
 * A number from 0 to below 1 that follows from the text.
 *
 * @example const delay = fractionOf(`${scheduleId}/${tick}`) * jitterMs;
 */
export function fractionOf(text: string): number {
  return mixed(text, 0) / 0x1_0000_0000;
}

/**
 * 32 hexadecimal digits that follow from the text: for telling things apart, not for keeping secrets.
 *
 * @example const token = digitsOf(`${formerToken}/${now}`);
 */
export function digitsOf(text: string): string {
  return [1, 2, 3, 4].map((seed) => mixed(text, seed).toString(16).padStart(8, "0")).join("");
}

/** FNV-1a over UTF-16 units, with the finish of murmur3, without which texts that differ at their end alone give neighbours. */
function mixed(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
  return (hash ^ (hash >>> 16)) >>> 0;
}
