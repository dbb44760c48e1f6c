// statement-count: a door in front of a PostgreSQL server that counts what passes through it.
//
// Owns:    the listening socket and the connections through it.
// Always:  nothing is changed on the way. What is counted is the same for every client, however it is built: executions and simple queries.
import { connect, createServer, type Socket } from "node:net";

/** A door that counts. */
export interface CountingDoor {
  /** The server's address by way of the door. */
  readonly url: string;
  /** Statements that have passed. */
  statements(): number;
  close(): Promise<void>;
}

/** Opens a door in front of a server. */
export async function countingDoor(server: string): Promise<CountingDoor> {
  const target = new URL(server);
  let count = 0;
  const sockets = new Set<Socket>();
  const door = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: target.hostname, port: Number(target.port || 5432), noDelay: true });
    for (const [one, other] of [[near, far] as const, [far, near] as const]) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => (sockets.delete(one), other.destroy()));
    }
    const counted = statementsIn();
    near.on("data", (bytes) => (count += counted(bytes)));
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  const address = door.address();
  if (typeof address !== "object" || address === null) throw new Error("The door has no address.");
  const url = new URL(server);
  url.hostname = "127.0.0.1";
  url.port = String(address.port);
  return {
    url: url.href,
    statements: () => count,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => door.close(resolve));
    },
  };
}

const [QUERY, EXECUTE] = [0x51, 0x45];

/** Counts the statements in what a client sends: a first message without a kind, then messages of a kind (one byte) and a length (four bytes, itself included). */
function statementsIn(): (bytes: Buffer) => number {
  let head = Buffer.alloc(0);
  let skip = 0;
  let isFirst = true;
  return (bytes) => {
    let found = 0;
    let at = Math.min(skip, bytes.length);
    skip -= at;
    while (at < bytes.length) {
      const needed = (isFirst ? 4 : 5) - head.length;
      head = Buffer.concat([head, bytes.subarray(at, at + needed)]);
      at += Math.min(needed, bytes.length - at);
      if (head.length < (isFirst ? 4 : 5)) break;
      if (!isFirst && (head[0] === QUERY || head[0] === EXECUTE)) found++;
      const rest = head.readUInt32BE(isFirst ? 0 : 1) - 4;
      isFirst = false;
      head = Buffer.alloc(0);
      const taken = Math.min(rest, bytes.length - at);
      at += taken;
      skip = rest - taken;
    }
    return found;
  };
}
