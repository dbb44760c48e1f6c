// tcp-proxy: a network for tests, between a client and a server on this machine, that can be made to fail.
//
// Owns:    one port on the loopback, and the connections that come through it.
// Is told: where the server is; what happens to connections from now on.
// Always:  what was taken from one side and not yet given to the other is not lost while bytes are held up, only late: as TCP has it.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** What becomes of bytes: they go on; or they stay here, and who sends them hears nothing (a black hole); new connections are the same, or refused. */
export type Weather = "pass" | "black-hole" | "refuse";

/** A proxy that listens. */
export interface TcpProxy {
  readonly port: number;
  /** How many connections are open. */
  readonly connections: () => number;
  /** How many connections were ever made. */
  readonly accepted: () => number;
  /** Changes the weather. What a black hole swallowed goes on when it passes again. */
  become(weather: Weather): void;
  /** Holds each piece of bytes for so long, both ways. 0 by default. */
  delay(ms: number): void;
  /** Ends all connections now: `reset` as if the other side had crashed, `end` as if it had said goodbye. New ones are as the weather is. */
  cut(how?: "reset" | "end"): void;
  /** What is open now stays silent for ever, whatever the weather becomes: a client hears nothing more, not even of the server's end. */
  forget(): void;
  /** Says where the server is from now on, as after a failover; connections that are there stay. */
  leadTo(port: number): void;
  close(): Promise<void>;
}

/** Listens on a port of the loopback, and leads to `port`. */
export async function startTcpProxy(port: number): Promise<TcpProxy> {
  let server = port;
  let weather: Weather = "pass";
  let delayMs = 0;
  let accepted = 0;
  const pairs = new Set<Pair>();
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    accepted++;
    if (weather === "refuse") return void client.resetAndDestroy();
    const pair = join(client, connect({ host: "127.0.0.1", port: server, allowHalfOpen: true }), () => ({ weather, delayMs }));
    pairs.add(pair);
    pair.whenOver(() => pairs.delete(pair));
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    port: (listener.address() as AddressInfo).port,
    connections: () => pairs.size,
    accepted: () => accepted,
    become(next) {
      weather = next;
      for (const pair of pairs) pair.weatherChanged();
    },
    delay: (ms) => void (delayMs = ms),
    cut(how = "reset") {
      for (const pair of [...pairs]) pair.cut(how);
    },
    forget() {
      for (const pair of pairs) pair.forget();
    },
    leadTo: (next) => void (server = next),
    async close() {
      const closed = once(listener, "close");
      listener.close();
      for (const pair of [...pairs]) pair.cut("reset");
      await closed;
    },
  };
}

interface Pair {
  whenOver(tell: () => void): void;
  weatherChanged(): void;
  forget(): void;
  cut(how: "reset" | "end"): void;
}

interface Conditions {
  readonly weather: Weather;
  readonly delayMs: number;
}

const FORGOTTEN: Conditions = { weather: "black-hole", delayMs: 0 };

/** Two sockets, each of which gives what it hears to the other. One that breaks breaks the other. */
function join(client: Socket, server: Socket, outside: () => Conditions): Pair {
  let isForgotten = false;
  const now = (): Conditions => (isForgotten ? FORGOTTEN : outside());
  const ways = [oneWay(client, server, now), oneWay(server, client, now)];
  const open = new Set([client, server]);
  const over: (() => void)[] = [];
  let isBroken = false;
  let hasLeft = false;
  /** Who has given up a connection that was forgotten waits for nobody: in time the server would notice, too. */
  const endWhenForgotten = (): void => {
    if (isForgotten && hasLeft) for (const left of open) left.resetAndDestroy();
  };
  client.on("end", () => {
    hasLeft = true;
    endWhenForgotten();
  });
  const breakWhatIsLeft = (): void => {
    // A hole lets nobody know of the end of the other side either.
    if (isBroken && now().weather !== "black-hole") for (const left of open) left.resetAndDestroy();
  };
  for (const socket of [client, server]) {
    socket.on("error", () => undefined);
    socket.on("close", (broken) => {
      open.delete(socket);
      isBroken ||= broken;
      if (socket === client) hasLeft = true;
      endWhenForgotten();
      breakWhatIsLeft();
      if (open.size === 0) for (const tell of over) tell();
    });
  }
  return {
    whenOver: (tell) => void over.push(tell),
    weatherChanged() {
      for (const way of ways) way.goOn();
      breakWhatIsLeft();
    },
    forget() {
      isForgotten = true;
      endWhenForgotten();
    },
    cut(how) {
      for (const socket of open) {
        if (how === "reset") socket.resetAndDestroy();
        else {
          socket.end();
          socket.destroySoon();
        }
      }
    },
  };
}

/** A piece that waits to go on; undefined is the end. */
type Piece = Buffer | undefined;

function oneWay(from: Socket, to: Socket, now: () => Conditions): { goOn(): void } {
  const waiting: Piece[] = [];
  let held = 0;
  const goOn = (): void => {
    if (now().weather === "black-hole") return;
    for (const piece of waiting.splice(0, waiting.length - held)) {
      if (piece === undefined) to.end();
      else if (!to.destroyed) to.write(piece);
    }
  };
  const take = (piece: Piece): void => {
    waiting.push(piece);
    const { delayMs } = now();
    if (delayMs === 0 && held === 0) return goOn();
    held++;
    setTimeout(() => {
      held--;
      goOn();
    }, delayMs);
  };
  from.on("data", take);
  from.on("end", () => take(undefined));
  return { goOn };
}
