// The server on real sockets: where it may listen, TLS, its certificate replaced, and its end.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openTaskHub, type Hub } from "ostinato";
import { serve, type ServeOptions, type TaskHubServer } from "@ostinato/grpc";
import { openChannel, type ChannelOptions } from "../../src/transport/open-channel.ts";
import type { Channel } from "../../src/transport/transport.ts";
import { certificateOf, createAuthority } from "../certificates.ts";
import { statusOf } from "./family.ts";

const TOKEN = "a-token-of-our-own-made";
const authority = createAuthority("the server's");

async function served(t: TestContext, options: ServeOptions = {}): Promise<{ readonly hub: Hub; readonly server: TaskHubServer }> {
  const hub = await openTaskHub("memory:", { log: { level: "silent" } });
  const server = await serve(hub, { port: 0, ...options });
  t.after(async () => {
    await server.close({ grace: "0s" });
    await hub.close();
  });
  return { hub, server };
}

function channelTo(t: TestContext, { port }: TaskHubServer, options?: ChannelOptions): Channel {
  const channel = openChannel(`127.0.0.1:${port}`, options);
  t.after(() => channel.close());
  return channel;
}

async function filesOf(
  t: TestContext,
  names: readonly string[],
): Promise<{ readonly tls: { certFile: string; keyFile: string }; readonly write: (names: readonly string[]) => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "ostinato-serve-"));
  t.after(() => rm(folder, { recursive: true }));
  const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
  const write = async (next: readonly string[]): Promise<void> => {
    const { cert, key } = certificateOf(authority, { names: next });
    await writeFile(tls.certFile, cert);
    await writeFile(tls.keyFile, key);
  };
  await write(names);
  return { tls, write };
}

const hello = (channel: Channel, authorization?: string): Promise<string> =>
  statusOf(channel.unary("Hello", new Uint8Array(), authorization === undefined ? {} : { metadata: { authorization } }));

test("a server answers on its port, says where it is, and is silent after its close", async (t) => {
  const { server, hub } = await served(t);
  assert.equal(server.host, "127.0.0.1");
  assert.ok(server.port > 0);
  const channel = channelTo(t, server);
  assert.equal(await hello(channel), "OK");
  assert.equal(server.counters()["calls"], 1);
  await server.close();
  await server.close();
  assert.equal(await hello(channel), "UNAVAILABLE");
  await hub.start("greet");
});

test("SEC1 a host that others can reach is refused without TLS and tokens, before anything listens", async (t) => {
  const hub = await openTaskHub("memory:", { log: { level: "silent" } });
  t.after(() => hub.close());
  await assert.rejects(serve(hub, { host: "0.0.0.0", port: 0 }), { code: "INVALID_ARGUMENT", message: /no TLS .* and no token/ });
  await assert.rejects(serve(hub, { host: "0.0.0.0", port: 0, tokens: [{ token: TOKEN }] }), /no TLS/);
  const open = await serve(hub, { host: "0.0.0.0", port: 0, dangerouslyAllowUnauthenticatedNetworkAccess: true });
  assert.equal(await hello(channelTo(t, open)), "OK");
  await open.close({ grace: "0s" });
  await assert.rejects(serve(hub, { prot: 4001 } as object), /serve has no option 'prot'/);
});

test("with TLS and a token: plain calls, other authorities and calls without the token come to nothing", async (t) => {
  const { tls } = await filesOf(t, ["IP:127.0.0.1"]);
  const { server } = await served(t, { tls, tokens: [{ token: TOKEN }] });
  const trusted = channelTo(t, server, { tls: { ca: authority.cert } });
  assert.equal(await hello(trusted, `Bearer ${TOKEN}`), "OK");
  assert.equal(await hello(trusted), "UNAUTHENTICATED");
  assert.equal(await hello(channelTo(t, server, { tls: { ca: createAuthority("another").cert } }), `Bearer ${TOKEN}`), "UNAVAILABLE");
  assert.equal(await hello(channelTo(t, server), `Bearer ${TOKEN}`), "UNAVAILABLE");
});

test("reloadTls shows the next certificate to new connections, and keeps the present one when the next is none", async (t) => {
  const { tls, write } = await filesOf(t, ["IP:127.0.0.1"]);
  const { server } = await served(t, { tls });
  const before = channelTo(t, server, { tls: { ca: authority.cert } });
  assert.equal(await hello(before), "OK");
  await writeFile(tls.certFile, "this is no certificate");
  await assert.rejects(server.reloadTls());
  assert.equal(await hello(channelTo(t, server, { tls: { ca: authority.cert } })), "OK");
  await write(["DNS:orders.example.com"]);
  await server.reloadTls();
  assert.equal(await hello(before), "OK", "who was connected stays");
  assert.equal(await hello(channelTo(t, server, { tls: { ca: authority.cert } })), "UNAVAILABLE", "the name is another one now");
  assert.equal(await hello(channelTo(t, server, { tls: { ca: authority.cert, serverName: "orders.example.com" } })), "OK");
});

test("files that cannot be read are named by their option; a server without TLS has none to read again", async (t) => {
  const hub = await openTaskHub("memory:", { log: { level: "silent" } });
  t.after(() => hub.close());
  await assert.rejects(serve(hub, { port: 0, tls: { certFile: "/nowhere/cert.pem", keyFile: "/nowhere/key.pem" } }), {
    code: "INVALID_ARGUMENT",
    message: /tls\.(cert|key)File cannot be read/,
  });
  const { server } = await served(t);
  await assert.rejects(server.reloadTls(), /no TLS/);
});
