// serve: task hubs on the network, from the command line.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:http2";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT } from "@ostinato/cli";
import { openTaskHub } from "ostinato";
import { inProcess, started } from "./ostinato.ts";
import { folderFor } from "./programs.ts";

type Signal = "SIGHUP" | "SIGINT" | "SIGTERM";

/** Signals that a test sends. */
function signals() {
  const acts = new Map<Signal, Set<() => void>>();
  return {
    onSignal: (name: Signal, act: () => void): (() => void) => {
      const set = acts.get(name) ?? new Set();
      acts.set(name, set.add(act));
      return () => void set.delete(act);
    },
    send: (name: Signal) => [...(acts.get(name) ?? [])].forEach((act) => act()),
  };
}

/** The status of gRPC that a Hello over the network is answered with. */
async function hello(port: number, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const request = session.request({
      ":method": "POST",
      ":path": "/TaskHubSidecarService/Hello",
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let status: unknown;
    request.on("response", (given) => void (status = given["grpc-status"]));
    request.on("trailers", (given: Readonly<Record<string, unknown>>) => void (status ??= given["grpc-status"]));
    request.end(Buffer.from([0, 0, 0, 0, 0]));
    request.resume();
    await once(request, "close");
    return String(status);
  } finally {
    session.close();
  }
}

/** Serves in this process; `ready` is what it says when it is there. */
function serving(args: readonly string[]) {
  const { onSignal, send } = signals();
  let tell!: (text: string) => void;
  const ready = new Promise<string>((resolve) => (tell = resolve));
  let err = "";
  const ended = inProcess(["serve", ...args], { onSignal, out: async (text) => tell(text), err: async (text) => void (err += text) });
  return { ready: Promise.race([ready, ended.then(() => Promise.reject(new Error(`It ended: ${err}`)))]), ended, send, said: () => err };
}

test("serve says in one line where it is, answers, and gives the file back when it is told to stop", async (t) => {
  const url = `sqlite:${join(await folderFor(t), "hub.db")}`;
  const { ready, ended, send } = serving([url, "--port", "0", "--json"]);
  const said = JSON.parse(await ready) as { host: string; port: number };
  assert.deepEqual({ ...said, port: 0 }, { host: "127.0.0.1", port: 0, hubs: ["default"], tls: false, tokens: 0 });
  assert.equal(await hello(said.port), "0");
  send("SIGHUP");
  send("SIGTERM");
  assert.equal((await ended).exitCode, EXIT.ok);
  await (await openTaskHub(url)).close();
});

test("several hubs by their names, each with its tokens; no token is ever printed", async (t) => {
  const folder = await folderFor(t);
  const tokens = join(folder, "tokens");
  await writeFile(tokens, "# who may what\nthe-token-of-the-orders hubs=orders rights=client\nanother-token-of-mine\n");
  const { ready, ended, send, said } = serving([
    "--hub",
    `orders=sqlite:${join(folder, "orders.db")}`,
    "--hub",
    "bills=memory:",
    "--port",
    "0",
    "--token-file",
    tokens,
  ]);
  const line = await ready;
  const port = Number(/^Serving orders, bills on 127\.0\.0\.1:(\d+) \(no TLS, 2 tokens\)\.\n$/.exec(line)?.[1]);
  const as = (token: string, taskhub: string) => hello(port, { authorization: `Bearer ${token}`, taskhub });
  assert.deepEqual(
    [
      await as("the-token-of-the-orders", "orders"),
      await as("the-token-of-the-orders", "bills"),
      await as("another-token-of-mine", "bills"),
      await as("no-such-token-at-all", "bills"),
    ],
    ["0", "7", "0", "16"],
  );
  send("SIGINT");
  assert.equal((await ended).exitCode, EXIT.ok);
  assert.doesNotMatch(line + said(), /token-of/);
});

test("what makes no sense is said before anything is opened, and no message repeats a token", async (t) => {
  const folder = await folderFor(t);
  const tokens = join(folder, "tokens");
  const refused = async (message: RegExp, ...args: string[]): Promise<void> => {
    const { exitCode, err } = await inProcess(["serve", ...args], { onSignal: signals().onSignal });
    assert.equal(exitCode, EXIT.usage, err);
    assert.match(err, message);
    assert.doesNotMatch(err, /hunter2/);
  };
  await refused(/no task hub to serve/);
  await refused(/no port/, "memory:", "--port", "many");
  await refused(/--grace soon is no time/, "memory:", "--port", "0", "--grace", "soon");
  await refused(/belong together/, "memory:", "--tls-cert", "cert.pem");
  await refused(/needs --tls-cert/, "memory:", "--client-ca", "ca.pem");
  await refused(/is no name=url/, "--hub", "orders");
  await refused(/was given already/, "--hub", "a=memory:", "--hub", "a=memory:");
  await refused(/cannot be read/, "memory:", "--token-file", join(folder, "missing"));
  await refused(/no TLS .* and no token/, "memory:", "--host", "0.0.0.0", "--port", "0");
  await writeFile(tokens, "# nobody\n");
  await refused(/has no token/, "memory:", "--token-file", tokens);
  await writeFile(tokens, "hunter2\n");
  await refused(/at least 16 characters/, "memory:", "--port", "0", "--token-file", tokens);
  await writeFile(tokens, "hunter2-is-long-enough right=worker\n");
  await refused(/Line 1 of the token file/, "memory:", "--token-file", tokens);
  const { exitCode, err } = await inProcess(["serve", "memory:"]);
  assert.deepEqual([exitCode, /signals of a process/.test(err)], [EXIT.usage, true]);
});

test("as a process: it lives until SIGTERM, and another process cannot take its file meanwhile", async (t) => {
  const url = `sqlite:${join(await folderFor(t), "hub.db")}`;
  const server = started(t, ["serve", url, "--port", "0", "--json"]);
  const [line] = (await once(server.stdout!, "data")) as [Buffer];
  const { port } = JSON.parse(line.toString()) as { port: number };
  assert.equal(await hello(port), "0");
  const second = await inProcess(["serve", url, "--port", "0"], { onSignal: signals().onSignal });
  assert.equal(second.exitCode, EXIT.unreachable);
  assert.match(second.err, new RegExp(`held by process ${server.pid}.*let it serve its hub itself`));
  server.kill("SIGTERM");
  const [exitCode] = (await once(server, "close")) as [number | null];
  assert.equal(exitCode, EXIT.ok);
});
