// peers: which engines of other people are measured beside ours, and with what.
import type { Figures } from "../place.ts";
import { openDbos } from "./dbos.ts";
import { openOpenWorkflow } from "./openworkflow.ts";
import { peerChains, peerFanOut, peerLatency, peerLongChain, type OpenPeer } from "./peer.ts";

const PEERS = { dbos: openDbos, openworkflow: openOpenWorkflow } satisfies Readonly<
  Record<string, (database: string) => Promise<OpenPeer>>
>;

/** An engine of other people. */
export type PeerName = keyof typeof PEERS;

/** Whether a store is one of these. */
export function isPeer(store: string): store is PeerName {
  return Object.hasOwn(PEERS, store);
}

/** What they are measured with. OpenWorkflow refuses more than a thousand steps in one run, and tells a caller the result once a second. */
export const PEER_WORKLOADS: Readonly<Record<PeerName, readonly string[]>> = {
  dbos: ["chain10.k1", "chain10.k16", "chain10.k200", "fanout.n1000", "fanout.n10000", "longchain.n1000", "latency.n200"],
  openworkflow: ["chain10.k1", "chain10.k16", "chain10.k200", "fanout.n1000", "longchain.n1000", "latency.n10"],
};

/** The figures of one workload on one of them. */
export async function peerFigures(name: PeerName, database: string, kind: string, number: number, seconds: number): Promise<Figures> {
  const peer = await PEERS[name](database);
  try {
    if (kind === "chain10") return await peerChains(name, peer, number, seconds);
    if (kind === "fanout") return await peerFanOut(name, peer, number);
    if (kind === "longchain") return await peerLongChain(name, peer, number);
    if (kind === "latency") return await peerLatency(name, peer, number);
    throw new Error(`No peer runs '${kind}'.`);
  } finally {
    await peer.close();
  }
}
