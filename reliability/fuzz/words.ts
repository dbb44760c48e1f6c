// words: what is put into fields: texts, numbers and times, most of them such as people send, the others such as nobody should.
import type { Chance } from "../simulation/chance.ts";

const encoder = new TextEncoder();

/** Names that mean something to JavaScript. */
export const TRAPS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "then",
  "__defineGetter__",
  "length",
];

/** Names of orchestrations that attackers start, and take. */
export const FUZZ_NAMES = ["fuzz-a", "fuzz-b", "fuzz-c", ...TRAPS];
/** Ids of instances that attackers start. */
export const FUZZ_IDS = [...Array.from({ length: 60 }, (_, n) => `f${n}`), "F1", "ünïcödé", "a b", "a/b:c", ...TRAPS];

/** Names of entities that attackers signal, and take. */
export const FUZZ_ENTITIES = ["fuzz-e", "fuzz-f", "__proto__"];
/** Ids of their entities. */
export const FUZZ_ENTITY_IDS = [
  ...FUZZ_ENTITIES.flatMap((name) => ["a", "b", "c@d"].map((key) => `@${name}@${key}`)),
  "@Fuzz-E@a",
  "@fuzz-e@A",
];

const ODD_TEXTS = [
  "",
  " ",
  "\0",
  "\r\n",
  "\u001b[31mred",
  "@counter@1",
  "@fuzz-e",
  "@@a",
  "@@",
  "0",
  "-1",
  "null",
  "undefined",
  "NaN",
  "true",
  "{}",
  "[]",
  '"text"',
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '{"a":1,"a":2}',
  '{"kind":"failed"}',
  '{"status":["RUNNING"]}',
  '{"instanceId":"f1","recursive":true}',
  "'; DROP TABLE instances; --",
  "%s%n%x",
  "../../../etc/passwd",
  "<script>alert(1)</script>",
  "🎼".repeat(10),
  "\u202e\ufeff\u2028",
  "1e999",
  "1.0",
  "2.0",
  "999999999999999999999",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "-----BEGIN",
];

/** A text as bytes: UTF-8 as a rule. */
export function text(chance: Chance, usual: readonly string[]): Uint8Array {
  const roll = chance.below(100);
  if (roll < 70 && usual.length > 0) return encoder.encode(chance.pick(usual));
  if (roll < 90) return encoder.encode(chance.pick(ODD_TEXTS));
  if (roll < 93) return encoder.encode(deepJson(chance));
  if (roll < 96) return noUtf8(chance);
  if (roll < 99) return encoder.encode("x".repeat(chance.pick([99, 100, 101, 255, 256, 1_000, 5_000])));
  return encoder.encode("y".repeat(chance.pick([20_000, 70_000, chance.happens(0.1) ? 1_500_000 : 300_000])));
}

function deepJson(chance: Chance): string {
  const depth = chance.pick([10, 99, 100, 101, 1_000, 20_000]);
  return chance.happens(0.5) ? "[".repeat(depth) + "]".repeat(depth) : '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
}

function noUtf8(chance: Chance): Uint8Array {
  return chance.pick([
    Uint8Array.of(0xff, 0xfe),
    Uint8Array.of(0xed, 0xa0, 0x80),
    Uint8Array.of(0xc0, 0xaf),
    Uint8Array.of(0xf5, 0x80, 0x80, 0x80),
    Uint8Array.of(0x61, 0xe2, 0x82),
  ]);
}

const ODD_NUMBERS = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  99n,
  100n,
  501n,
  1_000n,
  1_500n,
  -1n,
  -2n,
  2_147_483_647n,
  2_147_483_648n,
  -2_147_483_648n,
  4_294_967_295n,
  9_007_199_254_740_993n,
  9_223_372_036_854_775_807n,
  -9_223_372_036_854_775_808n,
  18_446_744_073_709_551_615n,
];

/** A whole number. */
export function number(chance: Chance): bigint {
  return chance.happens(0.6) ? BigInt(chance.below(6)) : chance.pick(ODD_NUMBERS);
}

/** The seconds of a time: soon as a rule. */
export function seconds(chance: Chance, now: number): bigint {
  const soon = BigInt(Math.floor(now / 1_000) + chance.between(-60, 90));
  return chance.happens(0.7) ? soon : chance.pick([...ODD_NUMBERS, -62_135_596_800n, -62_135_596_801n, 253_402_300_799n, 253_402_300_800n]);
}

/** The rest of a time. */
export function nanos(chance: Chance): bigint {
  return chance.happens(0.8) ? BigInt(chance.below(1_000) * 1_000_000) : chance.pick([-1n, 999_999_999n, 1_000_000_000n, ...ODD_NUMBERS]);
}
