import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/remote/connect.ts";
import { isLoopback } from "../../src/loopback.ts";
import { hostAndPort, parseRemoteAddress } from "../../src/remote/connection-string.ts";

test("a URL names a server, and perhaps a task hub", () => {
  const none = { authentication: { kind: "none" } };
  assert.deepEqual(parseRemoteAddress("grpc://localhost:4001"), { host: "localhost", port: 4001, encrypted: false, ...none });
  assert.deepEqual(parseRemoteAddress("GRPC://localhost"), { host: "localhost", port: 4001, encrypted: false, ...none });
  assert.deepEqual(parseRemoteAddress("grpc://localhost:80/"), { host: "localhost", port: 80, encrypted: false, ...none });
  assert.deepEqual(parseRemoteAddress("grpcs://[::1]:443?taskhub=orders"), {
    host: "::1",
    port: 443,
    encrypted: true,
    taskHub: "orders",
    ...none,
  });
  assert.equal(hostAndPort({ host: "::1", port: 443 }), "[::1]:443");
});

test("a connection string names endpoint, task hub and authentication, in any order and case", () => {
  assert.deepEqual(parseRemoteAddress("taskhub=orders; ENDPOINT=https://orders.example.net ;Authentication=None;"), {
    host: "orders.example.net",
    port: 443,
    encrypted: true,
    taskHub: "orders",
    authentication: { kind: "none" },
  });
  assert.deepEqual(parseRemoteAddress("Endpoint=http://localhost:8080;TaskHub=default;Authentication=managedidentity;ClientID=abc"), {
    host: "localhost",
    port: 8080,
    encrypted: false,
    taskHub: "default",
    authentication: { kind: "azure", credential: "ManagedIdentity", options: { clientId: "abc" } },
  });
});

test("what cannot be read is refused in words, and never repeated", () => {
  const refusals: [string, RegExp][] = [
    ["grpc:localhost", /write for example "grpc:\/\/localhost:4001"/],
    ["grpc://user:secret@host", /token/],
    ["grpc://host/path-secret", /has a path/],
    ["grpc://host?hub=x", /"hub"/],
    ["grpc://host?taskhub=", /empty task hub name/],
    ["Endpoint=;TaskHub=t;Authentication=None", /no Endpoint/],
    ["Endpoint=ftp://x;TaskHub=t;Authentication=None", /Endpoint .* cannot be read/],
    ["Endpoint=https://x;Authentication=None", /no TaskHub/],
    ["Endpoint=https://x;TaskHub=t", /no Authentication/],
    ["Endpoint=https://x;TaskHub=t;Authentication=Kerberos", /'Kerberos'.*DefaultAzure/],
    ["Endpoint=https://x;TaskHub=t;Authentication=secret-0123456789", /which is not known/],
    ["Endpoint=https://x;TaskHub=t;Authentication=None;AccountKey=secret", /'AccountKey'/],
    ["Endpoint=https://x;secret;TaskHub=t", /without "="/],
    ["Endpoint=https://x;endpoint=https://y;TaskHub=t", /'Endpoint' twice/],
  ];
  for (const [address, message] of refusals)
    assert.throws(
      () => parseRemoteAddress(address),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "INVALID_ARGUMENT", address);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      },
    );
});

test("a token goes over encrypted connections, or to this machine", async () => {
  for (const host of ["localhost", "127.0.0.1", "127.8.0.1", "::1", "[::1]", "hub.localhost"]) assert.ok(isLoopback(host), host);
  for (const host of ["128.0.0.1", "localhost.example.net", "127.0.0.1.example.net", "::2"]) assert.ok(!isLoopback(host), host);
  await assert.rejects(connect("grpc://hub.example.net", { token: "secret-token" }), (error: Error) => {
    assert.match(error.message, /open network.*grpcs:\/\/hub\.example\.net/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
  const backend = await connect("grpc://localhost:1", { token: "secret-token" });
  await backend.close();
  await assert.rejects(connect("grpc://localhost", { tls: {} }), /means nothing/);
  await assert.rejects(connect("grpc://localhost?taskhub=a", { taskHub: "b" }), /name one/);
  await assert.rejects(connect("grpc://localhost", { taskHub: "ä" }), /cannot be sent/);
  await assert.rejects(connect("grpc://localhost", { tokens: "x" } as object), /no option 'tokens'; it has taskHub, token/);
});
