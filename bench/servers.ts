// servers: the task hubs of `npm run bench -- wire`: ours and two of other people, each in a process of its own, met by the same worker and client.
//
// Owns:    the life of that process.
// Always:  S1 it ends with the workload; nothing outlives the bench.
import { spawn, type ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { join } from "node:path";
import type { EnvoyCommand } from "../interop/envoy.ts";
import type { Peer } from "../interop/peer.ts";

/** A task hub behind a socket: ours over an SQLite file, the Go sidecar over an SQLite file, the in-memory server of the Python SDK. */
export type ServerStore = "wire" | "go_sidecar" | "python_memory";

/** A server that runs. */
export interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

type ServerCommand = EnvoyCommand & { readonly readyLine: RegExp };

/** Whether a store is one that is met through the wire. */
export function isServerStore(store: string): store is ServerStore {
  return store === "wire" || store === "go_sidecar" || store === "python_memory";
}

/** Starts a server with an empty task hub and waits until it is ready. */
export async function startServer(store: ServerStore, folder: string): Promise<Server> {
  const port = await freePort();
  const { file, args, env, readyLine } = await commandOf(store, port, folder);
  const child = spawn(file, [...args], {
    stdio: ["pipe", "pipe", store === "wire" ? "inherit" : "ignore"],
    env: { ...process.env, ...env },
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await ready(child, readyLine, store);
  return {
    url: `grpc://127.0.0.1:${port}`,
    async stop() {
      child.stdin?.end();
      const kill = setTimeout(() => child.kill("SIGKILL"), 3_000);
      await gone;
      clearTimeout(kill);
    },
  };
}

async function commandOf(store: ServerStore, port: number, folder: string): Promise<ServerCommand> {
  if (store === "wire") {
    const args = [join(import.meta.dirname, "../interop/our-server.ts"), String(port), join(folder, "bench.db")];
    return { file: process.execPath, args, readyLine: /^ready/ };
  }
  const installed = await (await peerOf(store)).install();
  if (installed.server === undefined) throw new Error(`There is no server for ${store}.`);
  return installed.server(port, folder);
}

async function peerOf(store: Exclude<ServerStore, "wire">): Promise<Peer> {
  return store === "go_sidecar" ? (await import("../interop/peers/go.ts")).go : (await import("../interop/peers/python.ts")).python;
}

async function ready(child: ChildProcess, line: RegExp, store: string): Promise<void> {
  if (child.stdout === null) throw new Error(`The server of ${store} has no output to read.`);
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    lines.on("line", (text) => line.test(text) && resolve());
    child.once("exit", (code) => reject(new Error(`The server of ${store} ended with ${code} before it was ready.`)));
    child.once("error", reject);
  });
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
