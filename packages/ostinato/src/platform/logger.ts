// logger: what the house has to say, one line at a time.
//
// Owns:    levels, and where lines go: by default warnings and errors to standard error.
// Always:  writing a log line never throws and never waits.

/** How much a line matters. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** One line. Fields hold facts for programs; the message alone is enough for people. Payloads are never logged. */
export interface LogRecord {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Where lines go.
 *
 * @example
 * const hub = await openTaskHub("memory:", { log: { level: "info", sink: (record) => pino[record.level](record.fields, record.message) } });
 */
export type LogSink = (record: LogRecord) => void;

/** Something to write lines to. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** How a logger is made. */
export interface LoggerOptions {
  /** Lines below this level are dropped; `"warn"` by default. */
  readonly level?: LogLevel | "silent";
  readonly sink?: LogSink;
}

const RANK: Readonly<Record<LogLevel | "silent", number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };
const NO_FIELDS = {};

/**
 * A logger over a sink.
 *
 * @example
 * const log = createLogger({ level: "info" });
 * log.warn("nobody serves the orchestrator 'greet'", { name: "greet" });
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const least = RANK[options.level ?? "warn"];
  const sink = options.sink ?? standardError;
  const at =
    (level: LogLevel) =>
    (message: string, fields: Readonly<Record<string, unknown>> = NO_FIELDS): void => {
      if (RANK[level] < least) return;
      try {
        sink({ level, message, fields });
      } catch {
        // A sink that throws loses its own line and nothing else.
      }
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/**
 * A logger that says nothing.
 *
 * @example
 * const log = silentLogger;
 */
export const silentLogger: Logger = createLogger({ level: "silent" });

/** One readable line on standard error. */
function standardError(record: LogRecord): void {
  process.stderr.write(`${lineOf(record)}\n`);
}

/**
 * A record as one line of text.
 *
 * @example
 * lineOf({ level: "warn", message: "slow", fields: { ms: 12 } }) === "ostinato warn: slow (ms=12)"
 */
export function lineOf(record: LogRecord): string {
  const facts = Object.entries(record.fields).map(([name, value]) => `${name}=${factText(value)}`);
  const text = `ostinato ${record.level}: ${record.message}${facts.length > 0 ? ` (${facts.join(", ")})` : ""}`;
  return text.replaceAll(/\r?\n\s*/g, " | ");
}

function factText(value: unknown): string {
  // The line stays readable: what happened and where; a sink that wants the whole stack has the error itself.
  if (value instanceof Error) return `${value.name}: ${value.message}${/\n\s+at .*/.exec(value.stack ?? "")?.[0] ?? ""}`;
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
