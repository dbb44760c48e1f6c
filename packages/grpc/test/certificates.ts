// certificates: throw-away certificates for tests, made on the spot.

import { createPrivateKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { isIPv4 } from "node:net";

/** Something that signs certificates. */
export interface Authority {
  readonly cert: string;
  readonly name: string;
  readonly key: KeyObject;
}

/** A certificate and its key, as PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** As OpenSSL writes them: `DNS:localhost`, `IP:127.0.0.1`, `URI:spiffe://...`. */
  readonly names?: readonly string[];
  readonly commonName?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

const YEAR_MS = 365 * 86_400_000;

/** One value of DER. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(6, Buffer.from(hex, "hex"));
const octets = (content: Uint8Array): Buffer => der(4, content);
const time = (date: Date): Buffer => der(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]|\.\d+/g, "")}`));
const COMMON_NAME = "550403";
const ECDSA_SHA256 = sequence(oid("2a8648ce3d040302"));

const nameOf = (common: string): Buffer => sequence(der(0x31, sequence(oid(COMMON_NAME), der(0x0c, Buffer.from(common)))));

function alternativeName(name: string): Buffer {
  const at = name.indexOf(":");
  const value = name.slice(at + 1);
  switch (name.slice(0, at)) {
    case "DNS":
      return der(0x82, Buffer.from(value));
    case "URI":
      return der(0x86, Buffer.from(value));
    case "email":
      return der(0x81, Buffer.from(value));
    case "IP":
      if (isIPv4(value)) return der(0x87, Buffer.from(value.split(".").map(Number)));
  }
  throw new Error(`no alternative name: ${name}`);
}

function signed(
  authority: { name: string; key: KeyObject },
  subject: Buffer,
  publicKey: KeyObject,
  extensions: Buffer[],
  options: CertificateOptions,
): string {
  const now = Date.now();
  const body = sequence(
    der(0xa0, der(2, Buffer.from([2]))),
    der(2, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_SHA256,
    nameOf(authority.name),
    sequence(time(options.notBefore ?? new Date(now - YEAR_MS)), time(options.notAfter ?? new Date(now + YEAR_MS))),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", body, authority.key);
  const whole = sequence(body, ECDSA_SHA256, der(3, Buffer.from([0]), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

export function createAuthority(name: string): Authority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const isAuthority = sequence(oid("551d13"), der(1, Buffer.from([255])), octets(sequence(der(1, Buffer.from([255])))));
  return { name, key: privateKey, cert: signed({ name, key: privateKey }, nameOf(name), publicKey, [isAuthority], {}) };
}

export function certificateOf(authority: Authority, options: CertificateOptions = {}): Identity {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const names = options.names ?? [];
  const extensions = [sequence(oid("551d13"), octets(sequence()))];
  if (names.length > 0) extensions.push(sequence(oid("551d11"), octets(sequence(...names.map(alternativeName)))));
  const cert = signed(authority, nameOf(options.commonName ?? "someone"), publicKey, extensions, options);
  return {
    cert,
    key: createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" }))
      .export({ type: "pkcs8", format: "pem" })
      .toString(),
  };
}
