// server: a task hub that others can reach, in a process of its own, to be killed and started again.
//
// Always:  R1 it listens on the loopback address alone.
//          R2 it ends when its standard input ends, so none outlives the run.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { EnvoyCommand } from "./envoy.ts";
import { firstOf, lastLines } from "./envoy.ts";
import { home } from "./peer.ts";
import type { StoppableServer } from "./story.ts";

/** How a server is started: what it says when it is ready. */
export type ServerCommand = EnvoyCommand & { readonly readyLine: RegExp };

/** A running server. */
export interface RunningServer extends StoppableServer {
  readonly port: number;
  said(): string;
  end(): Promise<void>;
}

/** Ours, over an SQLite file in this folder. */
export function ourServer(port: number, folder: string): ServerCommand {
  return {
    file: process.execPath,
    args: [join(home, "our-server.ts"), String(port), join(folder, "hub.db")],
    readyLine: /^ready/,
  };
}

/** Starts a server on a port that was free a moment ago. */
export async function startServer(commandFor: (port: number) => ServerCommand): Promise<RunningServer> {
  const port = await freePort();
  const command = commandFor(port);
  let process_ = await launch(command);
  return {
    port,
    address: `127.0.0.1:${port}`,
    said: () => process_.said(),
    async killAndRestart() {
      process_.child.kill("SIGKILL");
      await process_.gone;
      process_ = await launch(command);
    },
    async end() {
      process_.child.stdin?.end();
      if ((await firstOf(process_.gone, undefined, 3_000)) !== "done") process_.child.kill("SIGKILL");
      await process_.gone;
    },
  };
}

interface Launched {
  readonly child: ChildProcess;
  readonly gone: Promise<void>;
  said(): string;
}

async function launch(command: ServerCommand): Promise<Launched> {
  const child = spawn(command.file, [...command.args], { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...command.env } });
  const said = lastLines(child);
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (command.readyLine.test(line)) resolve();
    });
  });
  if ((await firstOf(ready, gone, 20_000)) !== "done") {
    child.kill("SIGKILL");
    throw new Error(`${command.file} did not become a server.\n${said()}`);
  }
  return { child, gone, said };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
