// host: a process of a simulation: a backend over its own line to the store, or over the wire; a worker; clocks of its own. It can die at any moment.
//
// Owns:    the lives of a process, one after the other; its clocks; what it is told, and when.
//          One `inside` has the store; where there is a wire it is a server, perhaps without a worker. One `outside` has the wire alone.
// Always:  P1 a life that has ended is told nothing and does nothing; what the store has is all that is left of it.
//          P2 what is for a process that stands still waits, in its order, until it goes on.
import { defaultConverter } from "../../packages/ostinato/src/authoring/payload.ts";
import type { Backend, WorkerConnection } from "../../packages/ostinato/src/contract/backend.ts";
import type { ActivityOutcome, ActivityWorkItem, WorkItem } from "../../packages/ostinato/src/contract/work-items.ts";
import type { Store } from "../../packages/ostinato/src/engine/store.ts";
import type { Hub } from "../../packages/ostinato/src/hub/hub.ts";
import { limitsOf } from "../../packages/ostinato/src/hub/open-task-hub.ts";
import { madeOf, type BackendParts } from "../../packages/ostinato/src/hub/parts-of.ts";
import { createLocalBackend } from "../../packages/ostinato/src/local/local-backend.ts";
import type { Clock } from "../../packages/ostinato/src/platform/clock.ts";
import { createLogger } from "../../packages/ostinato/src/platform/logger.ts";
import { seededRandom } from "../../packages/ostinato/src/platform/random.ts";
import type { MemoryHub } from "../../packages/ostinato/src/stores/memory/memory-store.ts";
import { startWorker, type Worker } from "../../packages/ostinato/src/worker/worker.ts";
import { remoteBackend } from "../../packages/grpc/src/remote/remote-backend.ts";
import { createTaskHubService, type TaskHubService } from "../../packages/grpc/src/server/task-hub-service.ts";
import type { Agenda } from "./agenda.ts";
import type { Chance } from "./chance.ts";
import { RunAgain } from "./run-again.ts";
import { listsOf } from "./lists.ts";
import { activitiesOf, orchestratorsOf } from "./programs.ts";
import type { AnyFaultClass, HostPlan, WireSetup } from "./setup.ts";
import { storeLine } from "./store-line.ts";
import { count, type Tally } from "./tally.ts";
import type { Wire } from "./wire.ts";
import type { Witness } from "./witness.ts";

const SHORTEST_WAIT_MS = 0.001;

/** What all hosts of a world share. */
export interface HostWorld {
  readonly seed: number;
  readonly agenda: Agenda;
  readonly hub: MemoryHub;
  readonly witness: Witness;
  readonly tally: Tally;
  readonly leaseMs: number;
  readonly has: (fault: AnyFaultClass) => boolean;
  readonly chanceFor: (purpose: string) => Chance;
  /** Turns are run again from the start. */
  readonly again: boolean;
  /** What the product says is broken. */
  readonly broken: (message: string) => void;
  /** Where some processes are outside. */
  readonly wire?: Wire;
  readonly wireSetup?: WireSetup;
}

/** Where a process stands: with the store, or beyond the wire. */
export type HostPlace = "inside" | "outside";

/** One life of a process. */
export interface Life {
  readonly name: string;
  readonly backend: Backend;
  /** Resolves when it has ended. */
  readonly death: Promise<void>;
  /** Lets something happen in it: now, when it goes on, or never. */
  deliver(run: () => void): void;
}

/** A process that begins again after each of its ends. */
export class Host {
  readonly #world: HostWorld;
  readonly #plan: HostPlan;
  readonly #index: number;
  readonly #place: HostPlace;
  #code: HostPlan["code"];
  #lives = 0;
  #jumpMs = 0;
  #end: (() => void) | undefined;
  #backlog: (() => void)[] | undefined;
  #worker: Worker | undefined;
  #service: TaskHubService | undefined;
  /** The life of now; none while the process is away. */
  life: Life | undefined;

  constructor(world: HostWorld, plan: HostPlan, index: number, place: HostPlace = "inside") {
    this.#world = world;
    this.#plan = plan;
    this.#index = index;
    this.#place = place;
    this.#code = plan.code;
  }

  /** Begins a life. */
  begin(): void {
    if (this.#end !== undefined) return;
    const { agenda, tally, witness, hub, has, leaseMs } = this.#world;
    const { wire, wireSetup } = this.#world;
    const name = `${this.#place === "outside" ? "w" : "h"}${this.#index}.${++this.#lives}`;
    const chance = this.#world.chanceFor(name);
    const stops: (() => void)[] = [];
    let dead = false;
    let announce = (): void => undefined;
    const death = new Promise<void>((resolve) => (announce = resolve));
    const deliver = (run: () => void): void => {
      if (dead) return;
      if (this.#backlog !== undefined) this.#backlog.push(run);
      else run();
    };
    let backend: Backend | undefined;
    let worker: Worker | undefined;
    let service: TaskHubService | undefined;
    this.#end = () => {
      dead = true;
      this.#end = undefined;
      this.#backlog = undefined;
      this.life = undefined;
      this.#worker = undefined;
      this.#service = undefined;
      witness.see(name, { kind: "died" });
      for (const [what, amount] of Object.entries(backend?.counters() ?? {})) count(tally.counters, what, amount);
      for (const [what, amount] of Object.entries(service?.counters() ?? {})) count(tally.counters, `server: ${what}`, amount);
      wire?.closed(name);
      for (const stop of stops) stop();
      // It holds a listener of this real process.
      void worker?.stop({ graceMs: 0 });
      announce();
    };
    const end = this.#end;

    const clock = this.#clock(deliver);
    const storeOf = (): Store => {
      return storeLine(hub.connect(name), {
        agenda,
        chance,
        witness,
        tally,
        leaseMs,
        has,
        name,
        deliver,
        crash: () => {
          if (dead) return;
          end();
          agenda.at(agenda.now + chance.below(10_000), () => this.begin());
        },
        renewed: (until) => wire?.renewed(name, until),
        atDeath: (stop) => stops.push(stop),
      });
    };
    const log = createLogger({
      level: "error",
      sink: ({ message }) => {
        if (message.includes("rule of the engine")) this.#world.broken(`${name}: ${message}`);
      },
    });
    const random = seededRandom(chance.below(2 ** 31));
    /** A backend over the store; a server of it where there is a wire. */
    const openInside = async (): Promise<Backend> => {
      const local = await createLocalBackend({ store: storeOf(), clock, random, log, leaseMs, maxClaims: 10_000 });
      if (dead || wire === undefined) return local;
      service = serviceOf({ backend: local, clock, random, log }, wireSetup?.graceMs ?? 0);
      this.#service = service;
      wire.opened(name, service, deliver);
      return local;
    };
    const openOutside = (of: Wire): Backend => {
      const atDeath = (stop: () => void): void => void stops.push(stop);
      const channel = of.channelOf({ name, clock, chance, deliver, isDead: () => dead, atDeath });
      return remoteBackend(channel, { where: "the servers", clock, random, log });
    };
    const open = async (): Promise<void> => {
      const opened = this.#place === "outside" && wire !== undefined ? openOutside(wire) : await openInside();
      if (dead) return;
      const again = this.#world.again ? new RunAgain(hub, witness, name) : undefined;
      backend = watched(opened, name, witness, () => dead, again);
      if (this.#place === "inside" && wireSetup?.bareServers === true) {
        this.life = { name, backend, death, deliver };
        return;
      }
      const { slots, warmBytes, warmIdleMs } = this.#plan;
      const takes = (): number => {
        if (!has("slow-bodies") || !chance.happens(0.2)) return chance.happens(0.3) ? 0 : chance.below(2_000);
        count(tally.faults, "slow-bodies");
        return chance.below(90_000);
      };
      const sleep = (ms: number): Promise<void> => new Promise((resolve) => clock.setTimer(ms, resolve));
      const orchestrators = orchestratorsOf(this.#code);
      again?.knows(orchestrators);
      worker = await startWorker(
        { backend, clock, log, converter: defaultConverter, limits: limitsOf(), processors: 1, hold: () => () => undefined, random },
        {
          orchestrators,
          activities: activitiesOf(name, sleep, takes),
          entities: listsOf(sleep, () => (chance.happens(0.1) ? takes() : 0)),
          versioning: { matchStrategy: "strict" },
          concurrency: { orchestrations: slots, activities: slots, entities: slots },
          warm: { bytes: warmBytes, idle: { milliseconds: warmIdleMs } },
        },
      );
      if (dead) return void worker.stop({ graceMs: 0 });
      this.#worker = worker;
      this.life = { name, backend, death, deliver };
    };
    // A start that the store refuses is one more death of the process.
    open().catch(() => {
      if (dead) return;
      end();
      agenda.at(agenda.now + 1_000, () => this.begin());
    });
  }

  /** Dies, and begins again after a while. */
  crash(awayMs: number): boolean {
    if (this.#end === undefined) return false;
    this.#end();
    this.#world.agenda.at(this.#world.agenda.now + awayMs, () => this.begin());
    return true;
  }

  /** Stands still, and goes on as if nothing had been. */
  freeze(ms: number): boolean {
    if (this.#end === undefined || this.#backlog !== undefined) return false;
    this.#backlog = [];
    const end = this.#end;
    this.#world.agenda.at(this.#world.agenda.now + ms, () => {
      if (this.#end === end) this.goOn();
    });
    return true;
  }

  /** Goes on. */
  goOn(): void {
    const backlog = this.#backlog;
    this.#backlog = undefined;
    for (const run of backlog ?? []) run();
  }

  /** Stops as it should, and begins again with the newest code. */
  async drain(graceMs: number): Promise<void> {
    const { life } = this;
    const worker = this.#worker;
    const service = this.#service;
    const end = this.#end;
    if (life === undefined || end === undefined || this.#backlog !== undefined) return;
    this.life = undefined;
    this.#code = "new";
    const { agenda, witness, wire } = this.#world;
    void agenda.after(graceMs).then(() => {
      if (this.#end !== end) return;
      witness.see(life.name, { kind: "gives-back" });
      wire?.givesBack(life.name);
    });
    const stopped = Promise.all([service?.close({ graceMs }), worker?.stop({ graceMs })]).then(() => life.backend.close());
    await Promise.race([stopped, life.death, this.#world.agenda.after(60_000)]);
    if (this.#end !== end) return;
    end();
    this.begin();
  }

  /** From now on its clock shows another time, and it runs the newest code when it begins again. */
  jump(ms: number): void {
    this.#jumpMs += ms;
  }

  /** The newest code, from the next life on. */
  upgrade(): void {
    this.#code = "new";
  }

  get isUp(): boolean {
    return this.#end !== undefined;
  }

  get runsOldCode(): boolean {
    return this.#code === "old";
  }

  /** Ends for good. */
  end(): void {
    this.#end?.();
  }

  #clock(deliver: (run: () => void) => void): Clock {
    const { agenda } = this.#world;
    const { skewMs, rate } = this.#plan;
    const begun = agenda.now;
    return {
      now: () => Math.floor(agenda.now * rate + skewMs + this.#jumpMs),
      monotonic: () => (agenda.now - begun) * rate,
      setTimer(ms, run) {
        let cancelled = false;
        // A wait is never so short that rounding makes it none: whoever waits for the rest of a wait would wait for ever.
        const wait = ms > 0 ? Math.max(ms / rate, SHORTEST_WAIT_MS) : 0;
        const appointment = agenda.at(agenda.now + wait, () =>
          deliver(() => {
            if (!cancelled) run();
          }),
        );
        return {
          cancel() {
            cancelled = true;
            appointment.cancel();
          },
        };
      },
    };
  }
}

/** The service of a backend. */
function serviceOf(parts: BackendParts, graceMs: number): TaskHubService {
  const nobody = { startWorker: () => undefined, close: () => undefined };
  return createTaskHubService(madeOf(nobody, parts) as unknown as Hub, { reconnectGrace: { milliseconds: graceMs } });
}

/** A backend whose work items are seen: bodies begin when they are handed out, and end with their outcome. */
function watched(backend: Backend, name: string, witness: Witness, isDead: () => boolean, again: RunAgain | undefined): Backend {
  const bodies = new Map<unknown, ActivityWorkItem>();
  const see = (kind: "body-began" | "body-ended", item: ActivityWorkItem, outcome?: ActivityOutcome): void => {
    const { instanceId, executionId, taskId, attempt, delivery, idempotencyKey: key } = item;
    const body = { instanceId, executionId, taskId, name: item.name, attempt, delivery, key };
    if (outcome === undefined) witness.see(name, { kind, ...body });
    else if (outcome.kind === "completed" && outcome.result !== undefined)
      witness.see(name, { kind, ...body, outcome: "completed", result: outcome.result });
    else witness.see(name, { kind, ...body, outcome: outcome.kind });
  };
  const never = new Promise<never>(() => undefined);
  return {
    ...backend,
    async connectWorker(interest, deliver) {
      const line = await backend.connectWorker(interest, (items: readonly WorkItem[]) => {
        if (isDead()) return;
        for (const item of items) {
          if (item.kind === "orchestration") again?.began(item);
          if (item.kind !== "activity") continue;
          bodies.set(item.token, item);
          see("body-began", item);
        }
        deliver(items);
      });
      const connection: WorkerConnection = {
        ...line,
        completeOrchestration(outcome) {
          if (isDead()) return never;
          again?.ended(outcome);
          return line.completeOrchestration(outcome);
        },
        completeEntity: (outcome) => (isDead() ? never : line.completeEntity(outcome)),
        completeActivity(outcome) {
          if (isDead()) return never;
          const item = bodies.get(outcome.token);
          bodies.delete(outcome.token);
          if (item !== undefined) see("body-ended", item, outcome);
          return line.completeActivity(outcome);
        },
        close: async () => {
          if (!isDead()) await line.close();
        },
      };
      return connection;
    },
  };
}
