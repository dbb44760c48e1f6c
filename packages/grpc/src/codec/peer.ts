// peer: who reads what is written.
//
// Owns:    the two kinds of other end, and the word by which one of ours makes itself known.

/**
 * `"ours"`: another end of Ostinato, to which every value goes whole. `"family"`: any other end of the protocol, to which nothing of our own
 * is written, and of which nothing of our own is believed.
 */
export type Peer = "ours" | "family";

/** The metadata by which an end of Ostinato makes itself known: in every call that it makes, and in its answer to Hello. */
export const PROTOCOL_METADATA = { "ostinato-protocol": "1" } as const;

/**
 * Who is at the other end, by the metadata of a call, or of the answer to Hello.
 *
 * @example peerOf({ "ostinato-protocol": "1" }) === "ours"
 */
export function peerOf(metadata: Readonly<Record<string, string>>): Peer {
  return metadata["ostinato-protocol"] === PROTOCOL_METADATA["ostinato-protocol"] ? "ours" : "family";
}

/** With GetWorkItems between ours: the name of a worker's line. With Hello: this line wants no more work, and stays open for what it has. */
export const LINE_METADATA = "ostinato-line";
export const RETIRE_METADATA = "ostinato-retire";
