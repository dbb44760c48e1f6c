// exit codes: what a script is told when a command ends.
//
// Always:  a code never changes its meaning.
import { OstinatoError } from "ostinato";

/**
 * The exit codes.
 *
 * @example
 * if ((await runCli(["show", "order-17"], io)) === EXIT.notFound) await start("order-17");
 */
export const EXIT = {
  /** Done; the answer is yes. */
  ok: 0,
  /** Done; the answer is no: something was found, or not all could be done. */
  no: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** There is no instance with this id. */
  notFound: 3,
  /** The task hub cannot be opened: not there, not allowed, held by another process, damaged, of another version. */
  unreachable: 4,
  /** The instance's state does not allow it. */
  refused: 5,
  /** A bug of this program, or something nobody foresaw. */
  unforeseen: 70,
} as const;

const BY_CODE: Readonly<Record<string, number>> = {
  INSTANCE_NOT_FOUND: EXIT.notFound,
  FILE_LOCKED: EXIT.unreachable,
  STORE_FORMAT: EXIT.unreachable,
  STORE_UNAVAILABLE: EXIT.unreachable,
  UNSUPPORTED: EXIT.unreachable,
  HUB_UNREACHABLE: EXIT.unreachable,
  ACCESS_DENIED: EXIT.unreachable,
  INVALID_STATE: EXIT.refused,
  INSTANCE_EXISTS: EXIT.refused,
  INVALID_ARGUMENT: EXIT.usage,
  PAYLOAD_INVALID: EXIT.usage,
  PAYLOAD_TOO_LARGE: EXIT.usage,
  VALIDATION_FAILED: EXIT.usage,
  RESULT_TIMEOUT: EXIT.no,
};

/** An end that a command has foreseen: its exit code, a word for programs, and a message for people. */
export class CommandError extends Error {
  readonly exitCode: number;
  readonly code: string;

  constructor(exitCode: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CommandError";
    this.exitCode = exitCode;
    this.code = code;
  }
}

/** What is wrong with the command line. */
export function usageError(message: string): CommandError {
  return new CommandError(EXIT.usage, "USAGE", message);
}

/** The exit code and the word of whatever was thrown. */
export function endOf(error: unknown): { readonly exitCode: number; readonly code: string } {
  if (error instanceof CommandError) return error;
  if (error instanceof OstinatoError) return { exitCode: BY_CODE[error.code] ?? EXIT.unforeseen, code: error.code };
  return { exitCode: EXIT.unforeseen, code: "UNFORESEEN" };
}
