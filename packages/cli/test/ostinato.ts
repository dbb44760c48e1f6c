// ostinato: the command as tests run it: in this process, or as a process of its own.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { runCli } from "@ostinato/cli";
import type { Io } from "@ostinato/cli";

/** What a command said, and how it ended. */
export interface Ended {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command in this process: for files that this process does not hold. */
export async function inProcess(args: readonly string[], more: Partial<Io> = {}): Promise<Ended> {
  let out = "";
  let err = "";
  const io: Io = {
    out: async (text) => void (out += text),
    err: async (text) => void (err += text),
    input: async () => "",
    env: {},
    now: () => Date.now(),
    ...more,
  };
  return { exitCode: await runCli(args, io), out, err };
}

const BIN = join(import.meta.dirname, "..", "src", "bin.ts");
/** Longer than any command takes on a machine that has much else to do. */
const PATIENCE_MS = 60_000;

/** Starts the command as a process; it is gone when the test is over. */
export function started(t: TestContext, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const child = spawn(process.execPath, [BIN, ...args], { env: { PATH: process.env["PATH"] ?? "", ...env }, timeout: PATIENCE_MS });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

/** Runs the command as a process. */
export function asProcess(
  t: TestContext,
  args: readonly string[],
  more: { readonly env?: Readonly<Record<string, string>>; readonly input?: string } = {},
): Promise<Ended> {
  const child = started(t, args, more.env);
  let out = "";
  let err = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (err += text));
  child.stdin?.end(more.input ?? "");
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => resolve({ exitCode, out, err }));
  });
}

/** The lines of JSON that a command printed. */
export function jsonLines(ended: Ended): Record<string, unknown>[] {
  return ended.out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
