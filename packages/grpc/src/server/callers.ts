// callers: by what a caller is known.
//
// Owns:    the tokens, as hashes, and what each allows.
// Is told: the metadata of a call.
// Tells:   the Caller, or UNAUTHENTICATED.
// Always:  CL1 a token is compared by its hash, with all that are known, in the same time whichever it is.
//          CL2 no token is kept, and none is in an error or a log line.

import { createHash, timingSafeEqual } from "node:crypto";
import { InvalidArgumentError } from "ostinato";
import type { Metadata } from "../transport/transport.ts";
import { WireError } from "../transport/wire-error.ts";
import { RIGHTS, USUAL_RIGHTS, type Caller, type Right } from "./access.ts";

/**
 * A bearer token that is accepted, and what it allows. Several may be valid at once, so that one can be replaced by the next.
 *
 * @example
 * const tokens: TokenGrant[] = [{ sha256: "9f86d08…", hubs: ["orders"], rights: ["worker"] }];
 */
export interface TokenGrant {
  /** The token itself, of at least 16 characters. Either this or its hash. */
  readonly token?: string;
  /** Its SHA-256, in hexadecimal, so that the token stands nowhere on this machine. */
  readonly sha256?: string;
  /** Only these task hubs; all by default. */
  readonly hubs?: readonly string[];
  /** Everything but `"admin"` by default. */
  readonly rights?: readonly Right[];
}

interface Known {
  readonly hash: Buffer;
  readonly caller: Caller;
}

const SHORTEST_TOKEN = 16;
const GRANT_NAMES = ["token", "sha256", "hubs", "rights"];
/** Who calls where no token is asked for: whoever can reach the server may do everything. */
const EVERYBODY: Caller = { name: "anybody", rights: new Set(RIGHTS), hubs: "any" };

/** How callers become known. Without tokens everybody is let in. @throws InvalidArgumentError for tokens that make no sense. */
export function createDoorkeeper(tokens: readonly TokenGrant[] | undefined): (metadata: Metadata) => Caller {
  if (tokens === undefined) return () => EVERYBODY;
  if (tokens.length === 0) throw new InvalidArgumentError("tokens is an empty list, which lets nobody in; leave it out or add a token.");
  const known = tokens.map(knownBy);
  return (metadata) => {
    const hash = sha256(bearerIn(metadata));
    let caller: Caller | undefined;
    for (const each of known) if (timingSafeEqual(each.hash, hash)) caller ??= each.caller;
    if (caller === undefined)
      throw new WireError("UNAUTHENTICATED", "The call has no valid token. Send one as metadata 'authorization: Bearer <token>'.");
    return caller;
  };
}

function knownBy(grant: TokenGrant, index: number): Known {
  const where = `tokens[${index}]`;
  for (const name of Object.keys(grant))
    if (!GRANT_NAMES.includes(name)) throw new InvalidArgumentError(`${where} has no option '${name}'; it has ${GRANT_NAMES.join(", ")}.`);
  const { hubs, rights = USUAL_RIGHTS } = grant;
  for (const right of rights)
    if (!RIGHTS.includes(right)) throw new InvalidArgumentError(`${where}.rights has '${right}'; there are ${RIGHTS.join(", ")}.`);
  return {
    hash: hashOf(grant, where),
    caller: { name: `token ${index + 1}`, rights: new Set(rights), hubs: hubs === undefined ? "any" : new Set(hubs) },
  };
}

function hashOf({ token, sha256: hash }: TokenGrant, where: string): Buffer {
  if ((token === undefined) === (hash === undefined)) throw new InvalidArgumentError(`${where} has to have either token or sha256.`);
  if (hash !== undefined) {
    if (!/^[0-9a-f]{64}$/i.test(hash)) throw new InvalidArgumentError(`${where}.sha256 is no SHA-256 in 64 hexadecimal digits.`);
    return Buffer.from(hash, "hex");
  }
  if (token!.length < SHORTEST_TOKEN || /\s/.test(token!))
    throw new InvalidArgumentError(`${where}.token has to have at least ${SHORTEST_TOKEN} characters, none of them a space.`);
  return sha256(token!);
}

function bearerIn(metadata: Metadata): string {
  return /^bearer +(\S+)$/i.exec(metadata["authorization"] ?? "")?.[1] ?? "";
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
