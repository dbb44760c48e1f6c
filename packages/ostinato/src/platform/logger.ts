// logger: what the house has to say, one line at a time.
//
// Owns:    levels, the two forms of a line, and where lines go: by default warnings and errors to standard error.
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

/** How a logger is made. What is left out is as the environment variable `OSTINATO_LOG` says: `OSTINATO_LOG=info`, or `OSTINATO_LOG=debug,json`. */
export interface LoggerOptions {
  /** Lines below this level are dropped; `"warn"` by default. */
  readonly level?: LogLevel | "silent";
  /** How lines look on standard error: for people (`"text"`, the default), or one JSON object each. A sink gets records and is not concerned. */
  readonly format?: "text" | "json";
  readonly sink?: LogSink;
}

const RANK: Readonly<Record<LogLevel | "silent", number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };
const NO_FIELDS = {};

/**
 * What a text like `"debug,json"` says of a logger. Words that mean nothing are left out: a log must not keep a program from starting.
 *
 * @example
 * const log = createLogger(loggerOptionsOf(environmentVariable("OSTINATO_LOG")));
 */
export function loggerOptionsOf(text: string | undefined): LoggerOptions {
  const options: { level?: LogLevel | "silent"; format?: "text" | "json" } = {};
  for (const word of (text ?? "").toLowerCase().split(/[\s,]+/)) {
    if (Object.hasOwn(RANK, word)) options.level = word as LogLevel | "silent";
    if (word === "json" || word === "text") options.format = word;
  }
  return options;
}

/**
 * A logger over a sink.
 *
 * @example
 * const log = createLogger({ level: "info" });
 * log.warn("nobody serves the orchestrator 'greet'", { name: "greet" });
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const least = RANK[options.level ?? "warn"];
  const sink = options.sink ?? toStandardError(options.format === "json" ? jsonLineOf : lineOf);
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

function toStandardError(form: (record: LogRecord) => string): LogSink {
  return (record) => void process.stderr.write(`${form(record)}\n`);
}

/**
 * A record as one JSON object on one line, for programs that collect lines: `time`, `level`, `message`, and the fields beside them. Errors come
 * with their codes, stacks and causes.
 *
 * @example
 * const hub = await openTaskHub("sqlite:orders.db", { log: { sink: (record) => lines.write(jsonLineOf(record)) } });
 */
export function jsonLineOf(record: LogRecord): string {
  const head = { time: new Date().toISOString(), level: record.level, message: record.message };
  const seen = new Set<unknown>();
  const plain = (_: string, value: unknown): unknown => {
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null) return value;
    // What goes round in a circle, or would be written twice, is written once.
    if (seen.has(value)) return "(see above)";
    seen.add(value);
    return value instanceof Error ? plainError(value) : value;
  };
  try {
    return JSON.stringify({ ...record.fields, ...head }, plain);
  } catch {
    return JSON.stringify(head);
  }
}

function plainError(error: Error): object {
  const { name, message, stack, cause } = error;
  return { name, message, ...("code" in error ? { code: error.code } : {}), stack, ...(cause === undefined ? {} : { cause }) };
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
  if (value instanceof Error) return errorText(value);
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** What happened and where, and what had led to it. */
function errorText(error: Error, depth = 0): string {
  const text = `${error.name}: ${error.message}${/\n\s+at .*/.exec(error.stack ?? "")?.[0] ?? ""}`;
  return error.cause instanceof Error && depth < 5 ? `${text}; caused by ${errorText(error.cause, depth + 1)}` : text;
}
