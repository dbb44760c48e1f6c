// Who is let in by a certificate, and who is believed.

import assert from "node:assert/strict";
import { connect } from "node:tls";
import { test, type TestContext } from "node:test";
import { certificateOf, createAuthority, type Identity } from "../../test/certificates.ts";
import { bytes, servedBy, text } from "../../test/served-by.ts";
import { listen, type Listening, type TlsIdentity } from "./listen.ts";
import { openChannel, type ChannelTls } from "./open-channel.ts";
import type { WireError } from "./wire-error.ts";

const limits = { timeout: 30_000 };
const authority = createAuthority("the authority");
const stranger = createAuthority("somebody else");
const server = certificateOf(authority, { names: ["DNS:localhost", "IP:127.0.0.1"] });

/** Answers with the names that the caller has shown. */
const served = servedBy({
  unary: { Who: (call) => ({ message: bytes(JSON.stringify(call.certificateNames ?? "nobody")), metadata: {} }) },
});

async function opened(t: TestContext, tls: TlsIdentity): Promise<Listening> {
  const door = await listen(served, { host: "127.0.0.1", port: 0, tls });
  t.after(() => door.close({ graceMs: 0 }));
  return door;
}

async function whoAmI(door: Listening, tls: ChannelTls | undefined): Promise<string> {
  const channel = openChannel(`127.0.0.1:${door.port}`, tls === undefined ? {} : { tls });
  try {
    return text((await channel.unary("Who", bytes(""))).message);
  } finally {
    await channel.close();
  }
}

const refused = async (door: Listening, tls: ChannelTls | undefined, why = /./): Promise<void> => {
  await assert.rejects(whoAmI(door, tls), (error: WireError) => {
    assert.equal(error.status, "UNAVAILABLE", error.message);
    assert.match(error.message, why);
    return true;
  });
};

test("SEC1 a server is believed by its authority and its name, and otherwise not", limits, async (t) => {
  const door = await opened(t, server);
  assert.equal(await whoAmI(door, { ca: authority.cert }), '"nobody"');
  await refused(door, { ca: stranger.cert });
  await refused(door, {});
  await refused(door, { ca: authority.cert, serverName: "other.example" }, /other\.example/);
  await refused(door, undefined);
  const elsewhere = await opened(t, certificateOf(authority, { names: ["DNS:elsewhere.example"] }));
  await refused(elsewhere, { ca: authority.cert }, /127\.0\.0\.1|IP/);
  assert.equal(await whoAmI(elsewhere, { ca: authority.cert, serverName: "elsewhere.example" }), '"nobody"');
  const expired = await opened(t, certificateOf(authority, { names: ["IP:127.0.0.1"], notAfter: new Date(Date.now() - 1_000) }));
  await refused(expired, { ca: authority.cert }, /expired/);
});

test("SEC1 a caller's certificate has to be the authority's and in date; its names are known", limits, async (t) => {
  const door = await opened(t, { ...server, clientCa: authority.cert });
  const showing = (identity: Identity): ChannelTls => ({ ca: authority.cert, ...identity });
  const names = ["DNS:worker-1", "URI:spiffe://shop/billing", "email:ops@shop.example"];
  assert.deepEqual(JSON.parse(await whoAmI(door, showing(certificateOf(authority, { names })))), [
    "worker-1",
    "spiffe://shop/billing",
    "ops@shop.example",
  ]);
  assert.deepEqual(JSON.parse(await whoAmI(door, showing(certificateOf(authority, { commonName: "old worker" })))), ["old worker"]);
  await refused(door, { ca: authority.cert });
  await refused(door, showing(certificateOf(stranger, { names })));
  await refused(door, showing(certificateOf(authority, { names, notAfter: new Date(Date.now() - 1_000) })));
});

test("SEC1 names that try to look like several are one", limits, async (t) => {
  const door = await opened(t, { ...server, clientCa: authority.cert });
  const name = 'spiffe://shop/x, DNS:admin, URI:"admin';
  const shown = certificateOf(authority, { names: [`URI:${name}`], commonName: "admin" });
  assert.deepEqual(JSON.parse(await whoAmI(door, { ca: authority.cert, ...shown })), [name]);
  const inTheSubject = certificateOf(authority, { commonName: "x\nCN=admin" });
  assert.ok(!(JSON.parse(await whoAmI(door, { ca: authority.cert, ...inTheSubject })) as string[]).includes("admin"));
});

test("SEC1 a certificate is replaced without a restart, and one that cannot work never is", limits, async (t) => {
  const door = await opened(t, server);
  const next = certificateOf(stranger, { names: ["IP:127.0.0.1"] });
  await refused(door, { ca: stranger.cert });
  assert.throws(() => door.replaceTls({ cert: next.cert, key: server.key }));
  assert.throws(() => door.replaceTls({ cert: "no certificate", key: next.key }));
  assert.throws(() => door.replaceTls({ ...next, clientCa: authority.cert }), /clientCa/);
  assert.equal(await whoAmI(door, { ca: authority.cert }), '"nobody"');
  door.replaceTls(next);
  assert.equal(await whoAmI(door, { ca: stranger.cert }), '"nobody"');
  await refused(door, { ca: authority.cert });
});

test("a replaced certificate leaves calls and connections alone", limits, async (t) => {
  const door = await opened(t, server);
  const channel = openChannel(`127.0.0.1:${door.port}`, { tls: { ca: authority.cert } });
  t.after(() => channel.close());
  await channel.unary("Who", bytes(""));
  door.replaceTls(certificateOf(stranger, { names: ["IP:127.0.0.1"] }));
  assert.equal(text((await channel.unary("Who", bytes(""))).message), '"nobody"');
});

test("SEC1 a door without TLS has no certificate to replace, and one with a wrong certificate does not open", limits, async (t) => {
  const door = await listen(served, { host: "127.0.0.1", port: 0 });
  t.after(() => door.close({ graceMs: 0 }));
  assert.throws(() => door.replaceTls(server), /without TLS/);
  await assert.rejects(listen(served, { host: "127.0.0.1", port: 0, tls: { cert: "none", key: "none" } }));
});

test("SEC1 TLS is 1.2 or later, with forward secrecy", limits, async (t) => {
  const door = await opened(t, server);
  const attempt = (options: object): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ host: "127.0.0.1", port: door.port, ca: authority.cert, ALPNProtocols: ["h2"], ...options });
      socket.once("secureConnect", () => {
        resolve(socket.getProtocol() ?? "?");
        socket.destroy();
      });
      socket.once("error", () => resolve("refused"));
    });
  assert.equal(await attempt({}), "TLSv1.3");
  assert.equal(await attempt({ maxVersion: "TLSv1.2" }), "TLSv1.2");
  assert.equal(await attempt({ minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL@SECLEVEL=0" }), "refused");
  assert.equal(await attempt({ maxVersion: "TLSv1.2", ciphers: "AES128-GCM-SHA256:AES256-SHA" }), "refused");
});
