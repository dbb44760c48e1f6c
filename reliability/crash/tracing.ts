// tracing: what strace can do to a process: make a system call fail, come late, or be its last.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

export interface Injection {
  /** The system calls, as strace names them. */
  readonly calls: readonly string[];
  /** What happens, in strace's words: `error=EIO`, `signal=SIGKILL`, `delay_enter=200ms`. */
  readonly what: string;
  /** At which of them, counted over these files: `7`, `30..45`, `10+`. */
  readonly when: string;
  /** Calls on other files pass. */
  readonly files: readonly string[];
  /** Where strace writes what it saw. */
  readonly log: string;
}

let missing: string | undefined | null = null;

/** Why strace cannot be used here; `undefined` when it can. */
export function whyNoTracing(): string | undefined {
  if (missing === null) {
    const { status, error, stderr } = spawnSync("strace", ["-qq", "-e", "trace=none", "-e", "inject=fsync:error=EIO:when=1", "true"], {
      encoding: "utf8",
    });
    missing = status === 0 ? undefined : `strace cannot trace here (${(error?.message ?? stderr).trim() || `exit code ${status}`})`;
  }
  return missing;
}

/** The command that a traced command stands behind. */
export function traced({ calls, what, when, files, log }: Injection): string[] {
  const names = calls.join(",");
  const paths = files.flatMap((file) => ["-P", file]);
  // Passing over other calls in the kernel is fast, but loses signals.
  const fast = what.startsWith("signal=") ? [] : ["--seccomp-bpf"];
  return ["strace", "-f", ...fast, "-qq", "-o", log, ...paths, "-e", `trace=${names}`, "-e", `inject=${names}:${what}:when=${when}`];
}

/** How often a failure or a delay has met a call. */
export function hitsIn(log: string): number {
  return existsSync(log)
    ? readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => /INJECTED|DELAYED/.test(line)).length
    : 0;
}
