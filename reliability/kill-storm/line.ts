// line: one process's way to the server, through a port of its own: it can be cut, held, or swallow everything.
//
// Owns:    what becomes of the bytes between a process and the server.
// Always:  LN1 what was held comes through whole and in order when the line is well again.
//          LN2 a connection that was swallowed stays silent for ever, also when the line is well again: neither end hears that the other has gone.
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";

/** A line. */
export interface Line {
  readonly port: number;
  /** Connections that are open now, and all that were ever asked for. */
  readonly open: number;
  readonly asked: number;
  /** Resets every connection. How many there were. */
  cut(): number;
  /** From now on nothing passes, and nothing is lost. */
  hold(): void;
  /** From now on nothing passes, and what is on its way is lost; new connections are taken, and nobody answers. */
  swallow(): void;
  /** New connections pass again; held ones go on. */
  heal(): void;
  close(): Promise<void>;
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket | undefined;
  silent: boolean;
}

/** Opens a line to a server on this machine. */
export async function openLine(target: number): Promise<Line> {
  const pairs = new Set<Pair>();
  let state: "well" | "held" | "swallowing" = "well";
  let asked = 0;

  const end = (pair: Pair): void => {
    pairs.delete(pair);
    pair.near.destroy();
    pair.far?.destroy();
  };
  const silence = (pair: Pair): void => {
    pair.silent = true;
    for (const socket of [pair.near, pair.far]) {
      socket?.unpipe();
      socket?.resume().on("data", () => undefined);
    }
  };
  const gone = (pair: Pair): void => {
    // While the line swallows, the end of one side is not news for the other.
    if (!pair.silent) end(pair);
    else if (state !== "swallowing") end(pair);
  };

  const server: Server = createServer((near) => {
    asked++;
    const far = state === "swallowing" ? undefined : connect({ port: target, host: "127.0.0.1", noDelay: true });
    near.setNoDelay(true);
    const pair: Pair = { near, far, silent: false };
    pairs.add(pair);
    for (const socket of [near, far]) {
      socket?.on("error", () => undefined);
      socket?.on("close", () => gone(pair));
    }
    if (far === undefined) return silence(pair);
    near.pipe(far);
    far.pipe(near);
    if (state === "held") for (const socket of [near, far]) socket.pause();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The line has no port.");

  return {
    port: address.port,
    get open() {
      return pairs.size;
    },
    get asked() {
      return asked;
    },
    cut() {
      const count = pairs.size;
      for (const { near, far } of pairs) {
        near.resetAndDestroy();
        far?.resetAndDestroy();
      }
      pairs.clear();
      return count;
    },
    hold() {
      state = "held";
      for (const { near, far } of pairs) for (const socket of [near, far]) socket?.pause();
    },
    swallow() {
      state = "swallowing";
      for (const pair of pairs) silence(pair);
    },
    heal() {
      state = "well";
      for (const pair of pairs) {
        if (pair.silent && (pair.near.destroyed || pair.far?.destroyed === true)) end(pair);
        else if (!pair.silent) for (const socket of [pair.near, pair.far]) socket?.resume();
      }
    },
    async close() {
      for (const pair of pairs) end(pair);
      server.close();
      await once(server, "close");
    },
  };
}
