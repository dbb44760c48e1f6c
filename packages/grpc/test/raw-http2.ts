// raw-http2: frames as no library would send them, on a socket of its own.

import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Kinds of frames that are sent here. */
export const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8, continuation: 9 } as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;

/** A frame of HTTP/2. */
export function rawFrame(kind: number, flags: number, stream: number, body: Uint8Array = new Uint8Array()): Buffer {
  const framed = Buffer.alloc(9 + body.length);
  framed.writeUIntBE(body.length, 0, 3);
  framed[3] = kind;
  framed[4] = flags;
  framed.writeUInt32BE(stream, 5);
  framed.set(body, 9);
  return framed;
}

/** Headers of a call, each written out. Names and values are short. */
export function rawHeaders(headers: Readonly<Record<string, string>>): Buffer {
  const text = (part: string): Buffer => Buffer.concat([Buffer.from([part.length]), Buffer.from(part, "latin1")]);
  return Buffer.concat(Object.entries(headers).map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])));
}

/** The headers of a call, with others in place of the usual ones. */
export function callHeaders(method: string, others: Readonly<Record<string, string>> = {}): Buffer {
  return rawHeaders({
    ":method": "POST",
    ":scheme": "http",
    ":path": `/TaskHubSidecarService/${method}`,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
    ...others,
  });
}

/** A number as a frame's body. */
export function word(value: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(value);
  return body;
}

/** A connection that has said hello, with `settings` as pairs of a number and a value. */
export async function rawConnection(port: number, settings: readonly (readonly [number, number])[] = []): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => undefined);
  socket.resume();
  await once(socket, "connect");
  const body = Buffer.concat(
    settings.map(([name, value]) => {
      const setting = Buffer.alloc(6);
      setting.writeUInt16BE(name, 0);
      setting.writeUInt32BE(value, 2);
      return setting;
    }),
  );
  socket.write(
    Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), rawFrame(FRAME.settings, 0, 0, body), rawFrame(FRAME.settings, 1, 0)]),
  );
  return socket;
}

let pings = 0;

/** Resolves when the other side has seen all that was sent before. */
export function seen(socket: Socket): Promise<void> {
  const body = Buffer.concat([word(0x5eed), word((pings += 1))]);
  const answer = rawFrame(FRAME.ping, 1, 0, body);
  return new Promise((resolve) => {
    let heard = Buffer.alloc(0);
    const listen = (chunk: Buffer): void => {
      heard = Buffer.concat([heard.subarray(-answer.length), chunk]);
      if (!heard.includes(answer)) return;
      socket.off("data", listen);
      resolve();
    };
    socket.on("data", listen);
    socket.write(rawFrame(FRAME.ping, 0, 0, body));
  });
}
