// io: what a command knows of the terminal it speaks to.
//
// Always:  commands name no stream, no clock and no environment but these; a test gives them its own.

/**
 * The world as a command is given it.
 *
 * @example
 * const io: Io = { out: async (text) => void lines.push(text), err: async () => undefined, input: async () => "", env: {}, now: () => Date.now() };
 */
export interface Io {
  /** Writes to standard output; resolves when there is room for more. Throws PipeClosed when nobody reads any more. */
  readonly out: (text: string) => Promise<void>;
  readonly err: (text: string) => Promise<void>;
  /** All of standard input. */
  readonly input: () => Promise<string>;
  /** Asks a person; absent where there is none (standard input or output is no terminal). */
  readonly ask?: ((question: string) => Promise<string>) | undefined;
  /** The width of the terminal that standard output is; absent when it is none. */
  readonly columns?: number | undefined;
  /** Calls `act` at each such signal, until what it returned is called; absent where nobody could send one. */
  readonly onSignal?: ((signal: "SIGHUP" | "SIGINT" | "SIGTERM", act: () => void) => () => void) | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
}

/**
 * Whoever read our output has gone (`ostinato list | head -1`): the rest is not wanted, and that is no error.
 *
 * @example
 * const out = async (text: string) => { if (!write(text)) throw new PipeClosedError(); };
 */
export class PipeClosedError extends Error {
  constructor() {
    super("Nobody reads standard output any more.");
    this.name = "PipeClosedError";
  }
}
