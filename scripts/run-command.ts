// run-command: other programs, started from scripts.
import { spawn } from "node:child_process";

export interface Place {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Ends the program after so long; it never hangs a check. */
  readonly timeoutMs?: number;
  /** Another user than ours, for programs that refuse to run as root. */
  readonly as?: { readonly uid: number; readonly gid: number };
}

/** Runs with our output, no input for it to wait for when there is no terminal, and gives the exit code. */
export function run(file: string, args: readonly string[], place: Place): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: place.cwd,
      env: place.env ?? process.env,
      stdio: [process.stdin.isTTY ? "inherit" : "ignore", "inherit", "inherit"],
    });
    // A terminal sends Ctrl-C to the child as well; what is sent to us alone, we pass on.
    const passOn = (signal: NodeJS.Signals): void => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    };
    const signals = ["SIGINT", "SIGTERM"] as const;
    for (const signal of signals) process.on(signal, passOn);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      for (const name of signals) process.off(name, passOn);
      resolve(code ?? (signal === null ? 1 : 128));
    });
  });
}

/** Runs quietly and gives what was printed; what fails is shown whole. */
export function read(file: string, args: readonly string[], place: Place): Promise<string> {
  return new Promise((resolve, reject) => {
    const { cwd, env = process.env, timeoutMs, as } = place;
    const child = spawn(file, args, {
      cwd,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
      ...as,
    });
    let out = "";
    let both = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      both += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => void (both += text));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${file} ${args.join(" ")} ended with ${code ?? signal}:\n${both.trim()}`));
    });
  });
}

/** npm as the person has it, without what a surrounding `npm run` put into the environment about this repository. */
export function npm(args: readonly string[], cwd: string): Promise<string> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?:package|lifecycle|config_local_prefix|command)/.test(name)),
  );
  const script = process.env["npm_execpath"];
  if (script !== undefined && /\.c?js$/.test(script)) return read(process.execPath, [script, ...args], { cwd, env });
  return read(process.platform === "win32" ? "npm.cmd" : "npm", args, { cwd, env });
}
