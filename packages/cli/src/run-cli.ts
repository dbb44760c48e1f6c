// run-cli: the command line as a function.
import type { Io } from "./io.ts";
import { run } from "./program.ts";

/**
 * Runs a command line and resolves to its exit code. Nothing of the process is touched but what `io` gives.
 *
 * @example
 * const exitCode = await runCli(["list", "--url", "sqlite:orders.db", "--json"], io);
 */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  return run(args, io);
}
