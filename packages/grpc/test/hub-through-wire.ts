// hub-through-wire: a task hub whose clients and workers speak to it over a channel in memory, and whose server's process can end without a goodbye.
//
// Always:  what is under way is seen at the server: an item is out until its outcome is taken there, and a channel in memory needs microtasks alone.

import { defaultConverter } from "ostinato";
import { createLogger, systemClock, systemRandom } from "ostinato/contract";
import type { HubRequest, HubUnderTest } from "ostinato/conformance";
import { createMemoryHub } from "../../ostinato/src/stores/memory/memory-store.ts";
import { createHub, type Hub } from "../../ostinato/src/hub/hub.ts";
import { limitsOf } from "../../ostinato/src/hub/open-task-hub.ts";
import { holdProcess } from "../../ostinato/src/platform/clock.ts";
import { createFaultPlan } from "../../ostinato/src/testing/faults.ts";
import { beginLife, type ProcessLife } from "../../ostinato/src/testing/process-life.ts";
import { createQuiet } from "../../ostinato/src/testing/quiet.ts";
import { createVirtualClock } from "../../ostinato/src/testing/virtual-clock.ts";
import { remoteBackend } from "../src/remote/remote-backend.ts";
import { createTaskHubService, type TaskHubService } from "../src/server/task-hub-service.ts";
import { inMemoryChannel, type InMemoryChannel, type InMemoryOptions } from "../src/transport/in-memory.ts";
import type { Served } from "../src/transport/transport.ts";

/** How the wire behaves. */
export interface WireRequest extends HubRequest {
  readonly fault?: InMemoryOptions["fault"];
}

/** Makes a hub behind a wire. */
export async function hubThroughWire({ defaultVersion, fault }: WireRequest): Promise<HubUnderTest> {
  const quiet = createQuiet();
  const clock = createVirtualClock(Date.UTC(2025, 0, 1), quiet);
  const memory = createMemoryHub({ clock });
  const log = createLogger({ level: "silent" });
  const common = { converter: defaultConverter, limits: limitsOf(), log, processors: 1, random: systemRandom, hold: holdProcess };
  let lives = 0;
  let closing: Promise<void> = Promise.resolve();
  let life: ProcessLife;
  let service: TaskHubService;
  let channel: InMemoryChannel;
  let workers: Awaited<ReturnType<Hub["startWorker"]>>[] = [];

  const begin = async (): Promise<Hub> => {
    life = await beginLife({
      connect() {
        const store = memory.connect(`life ${++lives}`);
        return { ...store, close: () => (closing = store.close()) };
      },
      clock,
      quiet,
      faults: createFaultPlan(),
      local: { random: systemRandom, log, unregistered: "wait" },
      worker: common,
    });
    service = createTaskHubService(createHub({ ...common, backend: life.backend, clock }));
    // A bad wire is one for single calls: each of them can be lost alone.
    channel = inMemoryChannel(
      fault === undefined ? service : withoutStreamOfCalls(service),
      fault === undefined ? { timers: clock } : { fault },
    );
    const remote = remoteBackend(channel, {
      where: "a server in memory",
      // What is lost is sent again after a pause, and virtual time stands still while it is under way.
      clock: fault === undefined ? clock : systemClock,
      random: systemRandom,
      log,
    });
    const made = createHub({ ...common, backend: remote, clock, ...(defaultVersion === undefined ? {} : { defaultVersion }) });
    workers = [];
    return {
      ...made,
      async startWorker(options) {
        const worker = await made.startWorker(options);
        workers.push(worker);
        return worker;
      },
    };
  };

  let hub = await begin();
  return {
    hub,
    advance: (ms) => clock.advance({ milliseconds: ms }),
    async restart() {
      life.die();
      channel.setDown(true);
      // They would hold this real process; nobody answers them any more.
      for (const worker of workers) void worker.stop({ graceMs: 0 });
      await closing;
      hub = await begin();
      return hub;
    },
    counters: () => life.backend.counters(),
    // Signs of life, every half minute.
    heartbeats: true,
    async dispose() {
      await hub.close();
      await service.close({ graceMs: 0 });
      await life.backend.close();
    },
  };
}

/** A server of ours that knows no stream on which calls travel together, so that each of them goes alone. */
function withoutStreamOfCalls(service: TaskHubService): Served {
  return {
    kindOf: (method) => (service.kindOf(method) === "duplex" ? undefined : service.kindOf(method)),
    unary: (call, message) => service.unary(call, message),
    stream: (call, message, writer) => service.stream(call, message, writer),
    duplex: (call, incoming, writer) => service.duplex(call, incoming, writer),
  };
}
