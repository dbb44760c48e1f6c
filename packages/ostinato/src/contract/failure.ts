// failure: what user code threw, as data.
//
// Owns:    the way from an error to a Failure and back.
// Always:  a Failure is plain data of bounded depth; nothing of it is ever executed.

/** What user code threw, as it stands in history and travels between languages. */
export interface Failure {
  /** The error's class name, for example `"TypeError"`. */
  readonly errorType: string;
  readonly message: string;
  readonly stack?: string;
  /** The error's `cause`, up to ten deep. */
  readonly inner?: Failure;
  /** When true no retry policy tries again. */
  readonly nonRetriable?: boolean;
  /** Further facts of the error, plain JSON. A declared error keeps its data here. */
  readonly properties?: Readonly<Record<string, unknown>>;
}

const MAX_DEPTH = 10;
const MAX_STACK_LENGTH = 8_192;

/**
 * The failure that a thrown value stands for.
 *
 * An `Error` gives its name, message, stack and cause; `isNonRetriable: true` on it is honoured; a plain-data `properties` object on it is kept.
 * Anything else that was thrown becomes a failure of type `"UnknownError"` with the value as its message.
 */
export function toFailure(thrown: unknown, depth = 0): Failure {
  if (isErrorLike(thrown)) {
    const { cause, properties } = thrown as { cause?: unknown; properties?: unknown };
    const kept = plainProperties(properties);
    return {
      errorType: thrown.name || "Error",
      message: thrown.message,
      ...(typeof thrown.stack === "string" ? { stack: thrown.stack.slice(0, MAX_STACK_LENGTH) } : {}),
      ...(cause !== undefined && cause !== null && depth < MAX_DEPTH ? { inner: toFailure(cause, depth + 1) } : {}),
      ...((thrown as { isNonRetriable?: unknown }).isNonRetriable === true ? { nonRetriable: true } : {}),
      ...(kept === undefined ? {} : { properties: kept }),
    };
  }
  return { errorType: "UnknownError", message: describeThrown(thrown) };
}

function isErrorLike(thrown: unknown): thrown is Error {
  return (
    thrown instanceof Error ||
    (typeof thrown === "object" &&
      thrown !== null &&
      typeof (thrown as Error).message === "string" &&
      typeof (thrown as Error).name === "string")
  );
}

function plainProperties(properties: unknown): Record<string, unknown> | undefined {
  if (typeof properties !== "object" || properties === null) return undefined;
  try {
    return JSON.parse(JSON.stringify(properties)) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function describeThrown(thrown: unknown): string {
  try {
    return typeof thrown === "string" ? thrown : (JSON.stringify(thrown) ?? String(thrown));
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}

/** The error that a failure's `inner` chain is shown as: its `name`, `message`, `stack`, `cause` and `properties` are the recorded ones. */
export class RecordedError extends Error {
  readonly properties: Readonly<Record<string, unknown>> | undefined;

  constructor(failure: Failure) {
    super(failure.message, failure.inner ? { cause: new RecordedError(failure.inner) } : undefined);
    Object.defineProperty(this, "name", { value: failure.errorType, configurable: true, writable: true });
    if (failure.stack !== undefined) Object.defineProperty(this, "stack", { value: failure.stack, configurable: true, writable: true });
    this.properties = failure.properties;
  }
}
