import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../platform/clock.ts";
import { silentLogger } from "../platform/logger.ts";
import { systemRandom } from "../platform/random.ts";
import { openTaskHub, type HubOptions } from "./open-task-hub.ts";
import { openRemoteBackend } from "./remote-hub.ts";

const world = { clock: systemClock, random: systemRandom, log: silentLogger };

test("a remote hub needs a package, and its absence is said with the remedy", async () => {
  const absent = Object.assign(new Error("Cannot find package '@ostinato/grpc' imported from here"), { code: "ERR_MODULE_NOT_FOUND" });
  await assert.rejects(
    openRemoteBackend("grpc://localhost", undefined, world, () => Promise.reject(absent)),
    { code: "UNSUPPORTED", message: /npm install @ostinato\/grpc/ },
  );
  const other = Object.assign(new Error("Cannot find package 'what it needs'"), { code: "ERR_MODULE_NOT_FOUND" });
  await assert.rejects(
    openRemoteBackend("grpc://localhost", undefined, world, () => Promise.reject(other)),
    other,
  );
});

test("address and options reach whoever speaks the protocol", async () => {
  const asked: unknown[] = [];
  const connect = async (...all: unknown[]): Promise<unknown> => (asked.push(...all), {});
  await openRemoteBackend("grpc://localhost", { taskHub: "orders", token: "t" }, world, async () => ({ connect }));
  assert.deepEqual(asked, ["grpc://localhost", { ...world, taskHub: "orders", token: "t" }]);
});

test("options that mean nothing for a remote hub are refused with where they belong, and so are misspelt ones", async () => {
  const refusals: [HubOptions, RegExp][] = [
    [{ readOnly: true }, /readOnly means nothing for a remote task hub/],
    [{ retention: "3d" }, /retention .* its server/],
    [{ sqliteBody: "thread" }, /no file/],
    [{ unregistered: "fail" }, /waits at its server/],
    [{ limits: { maxClaims: 3 } }, /limits\.maxClaims/],
    [{ remote: { taskhub: "x" } as never }, /remote has no option 'taskhub'/],
    [{ remote: { tls: { caFile: "x" } as never } }, /remote\.tls has no option 'caFile'/],
    [{ remote: { token: 3 as never } }, /remote\.token/],
    [{ remote: { taskHub: "" } }, /remote\.taskHub/],
  ];
  for (const [options, message] of refusals)
    await assert.rejects(openTaskHub("grpc://localhost:1", options), { code: "INVALID_ARGUMENT", message });
  await assert.rejects(openTaskHub("memory:", { remote: { taskHub: "x" } }), { code: "INVALID_ARGUMENT", message: /not remote/ });
});

test("a remote hub is open before its server is there", async () => {
  const hub = await openTaskHub("grpc://localhost:1?taskhub=orders");
  await hub.close();
});
