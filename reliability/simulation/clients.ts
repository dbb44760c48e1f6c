// clients: those who ask. Each request goes to some process that lives; one whose outcome nobody knows is asked again, with the same ids.
//
// Owns:    what is asked for, by whom, in which order; the journal of it.
// Always:  CL1 one sender raises the events of one instance one after the other: the next one when the one before was answered.
import type { ClientOperations } from "../../packages/ostinato/src/contract/backend.ts";
import type { Agenda } from "./agenda.ts";
import type { Chance } from "./chance.ts";
import type { Host, Life } from "./host.ts";
import { entityFor, inputOf } from "./lists.ts";
import type { State } from "./programs.ts";
import type { AnyFaultClass, Order, Planned, Setup, Teller } from "./setup.ts";
import { count, type Tally } from "./tally.ts";
import type { Witness } from "./witness.ts";

/** What clients share. */
export interface ClientWorld {
  readonly agenda: Agenda;
  readonly chance: Chance;
  readonly witness: Witness;
  readonly tally: Tally;
  readonly hosts: readonly Host[];
  readonly has: (fault: AnyFaultClass) => boolean;
}

/** Something to ask for. */
interface Question {
  readonly by: string;
  readonly op: string;
  readonly id: string;
  readonly what?: object;
  readonly ask: (backend: ClientOperations) => Promise<unknown>;
}

type Answer =
  { readonly kind: "ok"; readonly value: unknown } | { readonly kind: "fail"; readonly code: string } | { readonly kind: "unknown" };

/** Refusals that asking again would not change. */
const FINAL = new Set(["INSTANCE_EXISTS", "INSTANCE_NOT_FOUND", "INVALID_STATE", "INVALID_ARGUMENT", "UNSUPPORTED"]);

/** The clients of a world. */
export class Clients {
  readonly #world: ClientWorld;
  #calls = 0;
  #tokens = 0;
  #requests = 0;
  /** What a start by token was answered with. */
  readonly #purged = new Set<string>();
  readonly #accepted = new Set<string>();

  constructor(world: ClientWorld) {
    this.#world = world;
  }

  /** Asks until there is an answer. */
  async until(question: Question, tries = 40): Promise<Answer> {
    for (let left = tries; left > 0; left--) {
      const answer = await this.#once(question);
      if (answer.kind === "ok" || (answer.kind === "fail" && FINAL.has(answer.code))) return answer;
      await this.#world.agenda.after(this.#world.chance.between(50, 3_000));
    }
    return { kind: "unknown" };
  }

  async #once({ by, op, id, what = {}, ask }: Question): Promise<Answer> {
    const { agenda, chance, witness, tally, has } = this.#world;
    const life = await this.#lifeOf();
    if (life === undefined) return { kind: "unknown" };
    const call = `${by}:${++this.#calls}`;
    witness.see(by, { kind: "invoke", call, op, instanceId: id, what });
    if (op === "purge") this.#purged.add(id);
    const asked = (): Promise<unknown> =>
      new Promise((resolve, reject) => life.deliver(() => void ask(life.backend).then(resolve, reject)));
    if (has("double-request") && chance.happens(0.1) && op !== "purge") {
      count(tally.faults, "double-request");
      witness.see(by, { kind: "invoke", call: `${call}:again`, op, instanceId: id, what });
      agenda.at(agenda.now + chance.below(5_000), () => {
        // Nobody can know a start again whose instance is gone: that it begins anew is told in the README, and would be reported for ever.
        if (op === "start" && this.#purged.has(id)) return;
        void asked().catch(() => undefined);
      });
    }
    const patience = has("impatience") && chance.happens(0.15) ? chance.between(1, 500) : 60_000;
    if (patience < 60_000) count(tally.faults, "impatience");
    const answer: Answer = await Promise.race([
      asked().then(
        (value): Answer => ({ kind: "ok", value }),
        (error: Error & { code?: string }): Answer => ({ kind: "fail", code: error.code ?? error.name }),
      ),
      life.death.then((): Answer => ({ kind: "unknown" })),
      agenda.after(patience).then((): Answer => ({ kind: "unknown" })),
    ]);
    count(tally.calls, `${op} ${answer.kind}`);
    if (answer.kind === "ok") witness.see(by, { kind: "ok", call, value: answer.value });
    else if (answer.kind === "fail") witness.see(by, { kind: "fail", call, code: answer.code, message: answer.code });
    return answer;
  }

  async #lifeOf(): Promise<Life | undefined> {
    for (let tries = 0; tries < 600; tries++) {
      const lives = this.#world.hosts.flatMap((host) => host.life ?? []);
      if (lives.length > 0) return this.#world.chance.pick(lives);
      await this.#world.agenda.after(200);
    }
    return undefined;
  }

  // ---- what is asked for

  async start(by: string, planned: Planned): Promise<Answer> {
    const { agenda, tally } = this.#world;
    const { id, program, version, later } = planned;
    const token = `${id}-e${++this.#tokens}`;
    const state: State = { program, at: 0, log: [], took: [] };
    const startAt = later === undefined ? undefined : agenda.now + later;
    const request = {
      instanceId: id,
      executionId: token,
      name: "flow",
      version,
      input: JSON.stringify(state),
      ...(startAt === undefined ? {} : { startAt }),
    };
    const ask = async (backend: ClientOperations): Promise<void> => {
      await backend.start(request);
      if (this.#accepted.has(token)) count(tally.goals, "a start was asked for again and answered the same");
      this.#accepted.add(token);
    };
    return this.until({ by, op: "start", id, what: { token }, ask });
  }

  raise(by: string, id: string, text: string): Promise<Answer> {
    const input = JSON.stringify(text);
    const messageId = `m:${text}`;
    const request = { instanceId: id, name: "go", input, messageId };
    return this.until({ by, op: "raise", id, what: { messageId, event: "go", input }, ask: (backend) => backend.raiseEvent(request) });
  }

  suspend(by: string, id: string): Promise<Answer> {
    return this.until({ by, op: "suspend", id, ask: (backend) => backend.suspend(id) });
  }

  resume(by: string, id: string): Promise<Answer> {
    return this.until({ by, op: "resume", id, ask: (backend) => backend.resume(id) });
  }

  terminate(by: string, id: string, recursive: boolean): Promise<Answer> {
    const request = { instanceId: id, recursive, output: '"ended"' };
    return this.until({ by, op: "terminate", id, what: { recursive }, ask: (backend) => backend.terminate(request) });
  }

  purge(by: string, id: string): Promise<Answer> {
    return this.until({ by, op: "purge", id, ask: (backend) => backend.purge({ instanceId: id, recursive: false }) });
  }

  restart(by: string, id: string, newId: string): Promise<Answer> {
    const token = `${id}-r${++this.#tokens}`;
    const request = { instanceId: id, executionId: token, ...(newId === id ? {} : { newInstanceId: newId }) };
    const ask = async (backend: ClientOperations): Promise<string> => {
      await backend.restart(request);
      return newId;
    };
    return this.until({ by, op: "restart", id, what: { token }, ask });
  }

  /** Lets an entity do something. The request has an id of its own, and the same one when it is asked for again. */
  signal(by: string, entityId: string, operation: string, value: unknown, notBefore?: number): Promise<Answer> {
    const requestId = `q-${by}-${++this.#requests}`;
    const input = value === undefined ? {} : { input: JSON.stringify(value) };
    const what = { requestId, operation, ...input, ...(notBefore === undefined ? {} : { notBefore }) };
    const request = { entityId, operation, requestId, ...input, ...(notBefore === undefined ? {} : { scheduledAt: notBefore }) };
    return this.until({ by, op: "signal", id: entityId, what, ask: (backend) => backend.signalEntity(request) });
  }

  clean(by: string): Promise<Answer> {
    const request = { removeEmptyEntities: true, releaseOrphanedLocks: true };
    return this.until({ by, op: "clean", id: "@", ask: (backend) => backend.cleanEntityStorage(request) });
  }

  get(by: string, id: string): Promise<Answer> {
    const ask = async (backend: ClientOperations): Promise<unknown> => {
      const found = await backend.get(id);
      if (found === undefined) return null;
      const { status, number, generation, turn } = found.record;
      return { status, number, generation, turn };
    };
    return this.until({ by, op: "get", id, ask });
  }

  // ---- what a setup asks for

  /** Starts what is planned, and raises its events. */
  async follow(planned: Planned): Promise<void> {
    const { agenda } = this.#world;
    await agenda.after(planned.startAt);
    const by = `c-${planned.id}`;
    await this.start(by, planned);
    for (const [n, at] of planned.events.entries()) {
      if (START + at > agenda.now) await agenda.after(START + at - agenda.now);
      await this.raise(by, planned.id, `${planned.id}#${n}`);
    }
  }

  /** Signals what a teller signals. */
  async tell({ by, signals }: Teller): Promise<void> {
    const { agenda } = this.#world;
    for (const [n, { at, key, deed, to, later }] of signals.entries()) {
      if (START + at > agenda.now) await agenda.after(START + at - agenda.now);
      await this.signal(
        by,
        entityFor(deed, key).id,
        deed,
        inputOf(deed, `${by}.${n}`, to),
        later === undefined ? undefined : agenda.now + later,
      );
    }
  }

  /** Does what an operator does. */
  async obey(order: Order, setup: Setup): Promise<void> {
    const { agenda } = this.#world;
    await agenda.after(order.at);
    const { id } = order;
    const by = "operator";
    switch (order.op) {
      case "suspend":
        return void (await this.suspend(by, id));
      case "resume":
        return void (await this.resume(by, id));
      case "terminate":
        return void (await this.terminate(by, id, false));
      case "terminate-all":
        return void (await this.terminate(by, id, true));
      case "purge":
        return void (await this.purge(by, id));
      case "restart":
        return void (await this.restart(by, id, id));
      case "restart-as":
        return void (await this.restart(by, id, `${id}~${this.#tokens + 1}`));
      case "get":
        return void (await this.get(by, id));
      case "clean":
        return void (await this.clean(by));
      case "again": {
        // The id is used again: what stands under it goes first.
        await this.terminate(by, id, false);
        for (let tries = 0; tries < 20; tries++) {
          const purged = await this.purge(by, id);
          if (purged.kind === "ok") break;
          await agenda.after(2_000);
        }
        const planned = setup.instances.find((each) => each.id === id);
        if (planned !== undefined) await this.start(by, planned);
      }
    }
  }
}

/** When a simulation begins. */
export const START = Date.UTC(2025, 0, 1);
