// process-io: a process's streams, clock and environment, as commands are given them.
import { createInterface } from "node:readline/promises";
import type { Writable } from "node:stream";
import { PipeClosedError } from "./io.ts";
import type { Io } from "./io.ts";

/** What of a process is used. */
export type ProcessLike = Pick<NodeJS.Process, "stdin" | "stdout" | "stderr" | "env" | "on" | "off">;

/** The world of a process. */
export function processIo(from: ProcessLike): Io {
  const { stdin, stdout, stderr, env } = from;
  const isTerminal = stdin.isTTY && stdout.isTTY;
  return {
    out: writerTo(stdout),
    err: writerTo(stderr),
    async input() {
      let text = "";
      stdin.setEncoding("utf8");
      for await (const part of stdin) text += part as string;
      return text;
    },
    ask: isTerminal
      ? async (question) => {
          const line = createInterface({ input: stdin, output: stderr });
          try {
            return await line.question(question);
          } finally {
            line.close();
          }
        }
      : undefined,
    onSignal(signal, act) {
      from.on(signal, act);
      return () => void from.off(signal, act);
    },
    columns: stdout.isTTY ? stdout.columns : undefined,
    env,
    now: () => Date.now(),
  };
}

/** Writes one text after the other, each when there is room. */
function writerTo(stream: Writable): (text: string) => Promise<void> {
  let closed: Error | undefined;
  // Without a listener the end of a pipe would end the process with a stack.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    closed = error.code === "EPIPE" ? new PipeClosedError() : error;
  });
  return (text) =>
    new Promise((resolve, reject) => {
      if (closed !== undefined) return reject(closed);
      stream.write(text, (error) => {
        if (error === null || error === undefined) resolve();
        else reject((error as NodeJS.ErrnoException).code === "EPIPE" ? new PipeClosedError() : error);
      });
    });
}
