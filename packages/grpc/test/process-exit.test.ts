// What holds a process whose hub is somewhere else, and what does not.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test, type TestContext } from "node:test";
import { openTaskHub, orchestrator } from "ostinato";
import { serve } from "@ostinato/grpc";

const PROGRAM_MS = 20_000;
const HEAD = `
  import { openTaskHub, orchestrator } from "ostinato";
  process.on("unhandledRejection", (error) => (console.log("unhandled", error), process.exit(3)));
  const greet = orchestrator("greet", async (ctx) => ctx.waitForExternalEvent("go"));
  const hub = await openTaskHub("grpc://127.0.0.1:" + process.argv[1], { log: { level: "silent" } });
`;

/** Runs a program to its end. */
function run(
  t: TestContext,
  port: number,
  program: string,
): { readonly ended: Promise<readonly [number | null, string]>; readonly said: (word: string) => Promise<void> } {
  const child = spawn(process.execPath, ["--input-type=module", "-e", HEAD + program, String(port)], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => void child.kill("SIGKILL"));
  let text = "";
  const heard = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    text += more;
    for (const hear of heard) hear();
  });
  const ended = new Promise<readonly [number | null, string]>((resolve) => child.on("close", (code) => resolve([code, text.trim()])));
  const said = (word: string): Promise<void> =>
    new Promise((resolve) => {
      const hear = (): void => {
        if (text.includes(word)) resolve();
      };
      heard.add(hear);
      hear();
    });
  return { ended, said };
}

async function served(t: TestContext): Promise<{ readonly port: number; readonly hub: Awaited<ReturnType<typeof openTaskHub>> }> {
  const hub = await openTaskHub("memory:", { log: { level: "silent" } });
  const server = await serve(hub, { port: 0 });
  t.after(async () => {
    await server.close({ grace: "0s" });
    await hub.close();
  });
  return { port: server.port, hub };
}

test("RB2 a program that has asked and is done ends by itself, though its hub was never closed", { timeout: PROGRAM_MS }, async (t) => {
  const { port, hub } = await served(t);
  const { ended } = run(
    t,
    port,
    `
    await Promise.all(["a", "b", "c"].map((id) => hub.start(greet, undefined, { instanceId: id })));
    console.log((await hub.instance("a").status()).status);
  `,
  );
  assert.deepEqual(await ended, [0, "PENDING"]);
  assert.equal((await hub.instance("c").status())?.status, "PENDING");
});

test("RB2 a program that waits for a result stays for it, and ends then", { timeout: PROGRAM_MS }, async (t) => {
  const { port, hub } = await served(t);
  const greet = orchestrator("greet", async (ctx) => ctx.waitForExternalEvent<string>("go"));
  await hub.startWorker({ orchestrators: [greet] });
  const { ended, said } = run(
    t,
    port,
    `
    const one = await hub.start(greet, undefined, { instanceId: "one" });
    const result = one.result();
    console.log("waits");
    console.log(await result);
  `,
  );
  await said("waits");
  // Longer than an idle stream of calls is kept.
  await new Promise((resolve) => setTimeout(resolve, 600));
  await hub.instance("one").raiseEvent("go", "here it is");
  assert.deepEqual(await ended, [0, "waits\nhere it is"]);
});

test(
  "a hub that is closed while calls wait refuses each of them, leaves no rejection unheard, and lets the process go",
  { timeout: PROGRAM_MS },
  async (t) => {
    const { port } = await served(t);
    const { ended } = run(
      t,
      port,
      `
    const one = await hub.start(greet, undefined, { instanceId: "one" });
    const codes = [one.result(), hub.start(greet, undefined, { instanceId: "two" }), one.raiseEvent("go")].map((call) =>
      call.then(() => "done", (error) => error.code),
    );
    await hub.close();
    console.log((await Promise.all(codes)).join(" "));
  `,
    );
    const [code, text] = await ended;
    assert.equal(code, 0);
    assert.match(text, /^HUB_CLOSED (done|HUB_CLOSED) (done|HUB_CLOSED)$/);
  },
);

test("a program whose server is away ends, too: what it asked is HUB_UNREACHABLE", { timeout: 30_000 }, async (t) => {
  const { ended } = run(
    t,
    1,
    `
    console.log(await hub.start(greet).then(() => "done", (error) => error.code));
  `,
  );
  assert.deepEqual(await ended, [0, "HUB_UNREACHABLE"]);
});
