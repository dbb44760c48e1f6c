// bytes: text as bytes, smaller, and by its fingerprint.

import { createHash } from "node:crypto";
import { gunzip, gzip } from "node:zlib";

/**
 * The SHA-256 of a text, as hexadecimal digits.
 *
 * @example
 * sha256("po-17").length === 64
 */
export function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

/**
 * A text, compressed.
 *
 * @example
 * const bytes = await compress("aaaa");
 */
export function compress(text: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gzip(text, (error, bytes) => (error === null ? resolve(bytes) : reject(error)));
  });
}

/**
 * What `compress` was given.
 *
 * @throws Error when the bytes are damaged or torn.
 * @example
 * const text = await decompress(bytes);
 */
export function decompress(bytes: Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    gunzip(bytes, (error, text) => (error === null ? resolve(text.toString("utf8")) : reject(error)));
  });
}
