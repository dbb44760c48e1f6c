// target: the server that is attacked: the product's own service over the product's own hubs, in virtual time, with somebody honest in it.
//
// Owns:    the hubs `shared` (where the honest live) and `wild` (where nobody does), the callers' tokens, the clock; what the product logs.
// Always:  TA1 the same seed makes the same target: tokens, ids and times are its own.
//          TA2 whatever is logged as an error is kept: nothing that an attacker sends may be one.
import { defaultConverter } from "../../packages/ostinato/src/authoring/payload.ts";
import { createHub, type Hub, type HubParts } from "../../packages/ostinato/src/hub/hub.ts";
import { limitsOf } from "../../packages/ostinato/src/hub/open-task-hub.ts";
import { createLocalBackend } from "../../packages/ostinato/src/local/local-backend.ts";
import type { Clock } from "../../packages/ostinato/src/platform/clock.ts";
import { createLogger, type Logger } from "../../packages/ostinato/src/platform/logger.ts";
import { seededRandom, type Random } from "../../packages/ostinato/src/platform/random.ts";
import { createMemoryHub, type MemoryHub } from "../../packages/ostinato/src/stores/memory/memory-store.ts";
import type { Backend } from "../../packages/ostinato/src/contract/backend.ts";
import type { Worker } from "../../packages/ostinato/src/worker/worker.ts";
import { remoteBackend } from "../../packages/grpc/src/remote/remote-backend.ts";
import { createTaskHubService, type TaskHubService } from "../../packages/grpc/src/server/task-hub-service.ts";
import { inMemoryChannel, type InMemoryChannel } from "../../packages/grpc/src/transport/in-memory.ts";
import type { Channel } from "../../packages/grpc/src/transport/transport.ts";
import { Agenda } from "../simulation/agenda.ts";
import { HONEST_WORK } from "./honest.ts";

/** The hubs that are served. */
export const HUBS = ["shared", "wild"] as const;
export type HubName = (typeof HUBS)[number];

/** Who calls, and with which token. */
export const TOKENS = {
  honest: "honest-token-0123456789",
  attacker: "attacker-token-0123456789",
  viewer: "viewer-token-0123456789",
  stranger: "stranger-token-0123456789",
} as const;
export type CallerName = keyof typeof TOKENS;

/** A hub that is served, seen from behind. */
export interface Behind {
  readonly store: MemoryHub;
  readonly backend: Backend;
}

/** Something that the product said, and should have had no reason to say. */
export interface Complaint {
  readonly message: string;
  readonly detail: string;
  /** It names an instance, and nothing else. */
  readonly isOfInstance: boolean;
}

/** What is attacked. */
export interface Target {
  readonly agenda: Agenda;
  readonly clock: Clock;
  readonly service: TaskHubService;
  readonly behind: Readonly<Record<HubName, Behind>>;
  /** The way of the attackers. */
  readonly channel: InMemoryChannel;
  /** The honest one's hub, on the other side of the wire. */
  readonly honest: Hub;
  /** Errors that were logged since they were last taken. */
  takeComplaints(): readonly Complaint[];
  close(): Promise<void>;
}

const START = Date.UTC(2025, 0, 1);
/** More than any number of messages needs. */
const MOST_STEPS = 50_000_000;

/** Lets somebody see what passes on the honest one's wire. */
export type Tap = (channel: Channel) => Channel;

/** Makes a target. */
export async function createTarget(seed: number, tap: Tap): Promise<Target> {
  const agenda = new Agenda(START, MOST_STEPS);
  const clock = clockOf(agenda);
  const complaints: Complaint[] = [];
  const log = createLogger({
    level: "error",
    sink: ({ message, fields }) => {
      const isOfInstance = Object.keys(fields).join() === "instanceId";
      complaints.push({ message, detail: detailOf(fields), isOfInstance });
    },
  });
  const behind = {
    shared: await behindOf(clock, log, seededRandom(seed * 4 + 1)),
    wild: await behindOf(clock, log, seededRandom(seed * 4 + 2)),
  };
  const hubs = { shared: behind.shared.hub, wild: behind.wild.hub };
  const service = createTaskHubService(hubs, {
    tokens: [
      { token: TOKENS.honest, hubs: ["shared"], rights: ["client", "control", "worker", "operator"] },
      { token: TOKENS.attacker, hubs: ["shared", "wild"], rights: ["client", "control", "worker", "operator", "admin"] },
      { token: TOKENS.viewer, hubs: ["shared", "wild"], rights: ["view"] },
    ],
    reconnectGrace: "10s",
  });
  const warn = (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
    void complaints.push({ message, detail: detailOf(fields), isOfInstance: false });
  const channel = inMemoryChannel(service, { timers: clock, warn, peer: "attacker" });
  const honestChannel = tap(inMemoryChannel(service, { timers: clock, warn, peer: "honest" }));
  const random = seededRandom(seed * 4 + 3);
  const remote = remoteBackend(honestChannel, {
    where: "fuzz",
    clock,
    random,
    log,
    metadata: { taskhub: "shared" },
    token: { current: () => Promise.resolve(TOKENS.honest), refused: () => undefined },
  });
  const honest = createHub(partsOfHub(remote, clock, random, log));
  let worker: Worker | undefined;
  void honest
    .startWorker({ ...HONEST_WORK, concurrency: { orchestrations: 50, activities: 50, entities: 50 } })
    .then((started) => (worker = started));
  await agenda.runUntil(agenda.now + 5_000);
  if (worker === undefined) throw new Error("The honest worker does not come up.");

  return {
    agenda,
    clock,
    service,
    behind,
    channel,
    honest,
    takeComplaints: () => complaints.splice(0),
    async close() {
      const closing = Promise.all([honest.close(), channel.close(), service.close({ graceMs: 0 })]);
      await agenda.runUntil(agenda.now + 60_000);
      await closing;
      const closed = Promise.all(HUBS.map((name) => behind[name].backend.close()));
      await agenda.runUntil(agenda.now + 60_000);
      await closed;
    },
  };
}

async function behindOf(clock: Clock, log: Logger, random: Random): Promise<Behind & { readonly hub: Hub }> {
  const store = createMemoryHub({ clock });
  const backend = await createLocalBackend({ store: store.connect("server"), clock, random, log });
  return { store, backend, hub: createHub(partsOfHub(backend, clock, random, log)) };
}

function partsOfHub(backend: Backend, clock: Clock, random: Random, log: Logger): HubParts {
  const hold = (): (() => void) => () => undefined;
  return { backend, clock, random, log, converter: defaultConverter, limits: limitsOf(), processors: 1, hold };
}

function clockOf(agenda: Agenda): Clock {
  return {
    now: () => Math.floor(agenda.now),
    monotonic: () => agenda.now,
    setTimer: (ms, run) => agenda.at(agenda.now + Math.max(0, Number.isNaN(ms) ? 0 : ms), run),
  };
}

function detailOf(fields: Readonly<Record<string, unknown>>): string {
  const { error } = fields;
  if (error instanceof Error) return error.stack ?? error.message;
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${String(value).slice(0, 2_000)}`)
    .join(" ");
}
