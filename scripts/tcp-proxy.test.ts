// The network that tests break: what passes, what waits, what is cut.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { startTcpProxy } from "./tcp-proxy.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

describe("tcp proxy", () => {
  let echo: Server;
  let proxy: TcpProxy;
  beforeEach(async () => {
    echo = createServer((socket) => void socket.on("error", () => undefined).pipe(socket)).listen(0, "127.0.0.1");
    await once(echo, "listening");
    proxy = await startTcpProxy((echo.address() as AddressInfo).port);
  });
  afterEach(async () => {
    await proxy.close();
    echo.close();
  });

  it("passes bytes both ways, and the end of them", async () => {
    const client = await connected(proxy.port);
    client.end("all of it");
    assert.equal(await textOf(client), "all of it");
    assert.equal(proxy.accepted(), 1);
  });

  it("cuts what is open, and takes the next", async () => {
    const client = await connected(proxy.port);
    client.write("x");
    await once(client, "data");
    const broken = once(client, "error");
    proxy.cut();
    assert.equal(((await broken)[0] as { code: string }).code, "ECONNRESET");
    const next = await connected(proxy.port);
    next.end("again");
    assert.equal(await textOf(next), "again");
  });

  it("says goodbye in both names", async () => {
    const client = await connected(proxy.port);
    client.write("x");
    await once(client, "data");
    proxy.cut("end");
    assert.equal(await textOf(client), "");
  });

  it("forgets what is open for ever, and takes the next", async () => {
    const client = await connected(proxy.port);
    client.write("x");
    await once(client, "data");
    proxy.become("black-hole");
    proxy.forget();
    proxy.become("pass");
    let heard = "";
    client.on("data", (bytes: Buffer) => void (heard += String(bytes)));
    client.write("lost");
    const next = await connected(proxy.port);
    next.end("again");
    assert.equal(await textOf(next), "again");
    assert.equal(heard, "");
    client.destroy();
    await once(client, "close");
  });

  it("swallows what comes into a black hole, and gives it back", async () => {
    const client = await connected(proxy.port);
    client.write("x");
    await once(client, "data");
    proxy.become("black-hole");
    client.write("held");
    // A connection made in the dark is accepted, and hears as little.
    const second = await connected(proxy.port);
    second.end("held, too");
    let heard = "";
    client.on("data", (bytes: Buffer) => void (heard += String(bytes)));
    await roundTrip((echo.address() as AddressInfo).port);
    assert.equal(heard, "");
    proxy.become("pass");
    assert.equal(await textOf(second), "held, too");
    client.end();
    await once(client, "end");
    assert.equal(heard, "held");
  });

  it("refuses", async () => {
    proxy.become("refuse");
    const client = connect(proxy.port, "127.0.0.1");
    const [error] = (await once(client, "error")) as [{ code: string }];
    assert.equal(error.code, "ECONNRESET");
    assert.equal(proxy.connections(), 0);
  });

  it("breaks the other side when one breaks", async () => {
    const broken = once(echo, "connection").then(([socket]) => once(socket as Socket, "error"));
    const client = await connected(proxy.port);
    client.write("x");
    await once(client, "data");
    client.resetAndDestroy();
    await broken;
  });

  it("holds each piece for a while, in order", async () => {
    proxy.delay(30);
    const client = await connected(proxy.port);
    const began = performance.now();
    client.write("first ");
    client.end("second");
    assert.equal(await textOf(client), "first second");
    assert.ok(performance.now() - began >= 55, "there and back");
  });

  it("leads to another server", async () => {
    const other = createServer((socket) => void socket.on("error", () => undefined).end("the other")).listen(0, "127.0.0.1");
    await once(other, "listening");
    proxy.leadTo((other.address() as AddressInfo).port);
    const client = await connected(proxy.port);
    assert.equal(await textOf(client), "the other");
    client.end();
    other.close();
  });
});

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

async function textOf(socket: Socket): Promise<string> {
  let text = "";
  for await (const bytes of socket) text += String(bytes);
  return text;
}

async function roundTrip(port: number): Promise<void> {
  const socket = await connected(port);
  socket.end("there and back");
  await textOf(socket);
}
