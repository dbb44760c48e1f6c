// session: one run of a command: where its hub is, and how it speaks.
//
// Owns:    the forms of output: lines for people; with --json one value or one line for each.
// Always:  what is asked for goes to standard output, and nothing else does: notes and errors go to standard error.
import { jsonText } from "./print/escape.ts";
import { createPaint } from "./print/paint.ts";
import type { Paint } from "./print/paint.ts";
import type { Io } from "./io.ts";

/** What every command is given. */
export interface Session {
  readonly io: Io;
  /** What `--url` says; else the environment variable `OSTINATO_URL`. */
  readonly url: string | undefined;
  /** The module whose `hubOptions` the hub is opened with. */
  readonly hubOptions: string | undefined;
  readonly json: boolean;
  readonly paint: Paint;
  readonly now: number;
  /** Lines for people. */
  readonly say: (...lines: readonly string[]) => Promise<void>;
  /** A value for programs, on one line. */
  readonly tell: (value: unknown) => Promise<void>;
  /** A remark beside what was asked for. */
  readonly note: (line: string) => Promise<void>;
}

/** The options that every command has. */
export interface GlobalOptions {
  readonly url?: string;
  readonly hubOptions?: string;
  readonly json?: boolean;
  readonly color: boolean;
}

/** A session for these options. */
export function createSession(io: Io, options: GlobalOptions): Session {
  const json = options.json ?? false;
  return {
    io,
    url: options.url ?? (io.env["OSTINATO_URL"] || undefined),
    hubOptions: options.hubOptions,
    json,
    paint: createPaint(!json && options.color && wantsColors(io)),
    now: io.now(),
    say: (...lines) => io.out(lines.map((line) => `${line}\n`).join("")),
    tell: (value) => io.out(`${jsonText(value)}\n`),
    note: (line) => io.err(`${line}\n`),
  };
}

function wantsColors(io: Io): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = io.env;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "") return FORCE_COLOR !== "0";
  return io.columns !== undefined && TERM !== "dumb";
}
