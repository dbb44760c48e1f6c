// peer: engines of other people over the same server, with the workloads that they can run.
//
// Owns:    how one is installed: below node_modules/.cache, in the versions of peers.json. None is a dependency of the repository.
// Always:  P1 the same program text, the same server, the same durability; each is told what its own pages advise, and nothing else is tuned.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { Figures } from "../place.ts";

/** The programs that every engine is measured with; they are those of place.ts. */
export type PeerProgram = "chain10" | "chain" | "fanOut" | "one";

/** A program that has been started durably. */
export interface PeerRun {
  /** When it has ended. An engine that tells its callers much later may tell it here by other means, to its favour. */
  ended(): Promise<unknown>;
  /** When its caller is told the result. */
  result(): Promise<unknown>;
}

/** An engine that is open, its worker at work. */
export interface OpenPeer {
  start(program: PeerProgram, input?: number): Promise<PeerRun>;
  close(): Promise<void>;
}

/** Imports a package of a peer, which is installed first. */
export async function importOfPeer<T>(peer: string, file: string): Promise<T> {
  const folder = join(import.meta.dirname, "../../node_modules/.cache/bench", peer);
  const versions = (JSON.parse(readFileSync(join(import.meta.dirname, "../peers.json"), "utf8")) as Record<string, Record<string, string>>)[
    peer
  ]!;
  const wanted = JSON.stringify({ private: true, dependencies: versions });
  const description = join(folder, "package.json");
  const done = join(folder, "installed");
  if (!existsSync(done) || readFileSync(done, "utf8") !== wanted) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(description, wanted);
    await promisify(execFile)("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"], {
      cwd: folder,
    });
    writeFileSync(done, wanted);
  }
  return (await import(pathToFileURL(join(folder, "node_modules", file)).href)) as T;
}

/** W1 on a peer: steps/s. */
export async function peerChains(name: string, peer: OpenPeer, inFlight: number, seconds: number): Promise<Figures> {
  const run = async (until: number): Promise<number> => {
    let steps = 0;
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        while (performance.now() < until) {
          await (await peer.start("chain10")).ended();
          steps += 10;
        }
      }),
    );
    return steps;
  };
  await run(performance.now() + (seconds * 1_000) / 2);
  const begun = performance.now();
  const steps = await run(begun + seconds * 1_000);
  return { [`${name}.chain10.k${inFlight}`]: (steps * 1_000) / (performance.now() - begun) };
}

/** W2 on a peer: milliseconds. */
export async function peerFanOut(name: string, peer: OpenPeer, width: number): Promise<Figures> {
  await (await peer.start("fanOut", Math.min(width, 500))).ended();
  const begun = performance.now();
  await (await peer.start("fanOut", width)).ended();
  return { [`${name}.fanout.n${width}`]: performance.now() - begun };
}

/** W3 on a peer: microseconds a step. */
export async function peerLongChain(name: string, peer: OpenPeer, steps: number): Promise<Figures> {
  await (await peer.start("chain", 100)).ended();
  const begun = performance.now();
  await (await peer.start("chain", steps)).ended();
  return { [`${name}.longchain.n${steps}`]: ((performance.now() - begun) * 1_000) / steps };
}

/** W4 on a peer: milliseconds. */
export async function peerLatency(name: string, peer: OpenPeer, times: number): Promise<Figures> {
  for (let i = 0; i < times / 4; i++) await (await peer.start("one")).result();
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    const begun = performance.now();
    await (await peer.start("one")).result();
    taken.push(performance.now() - begun);
  }
  taken.sort((a, b) => a - b);
  return { [`${name}.latency.p50`]: taken[Math.floor(times * 0.5)]!, [`${name}.latency.p99`]: taken[Math.floor(times * 0.99)]! };
}
