// wire: what lies between processes that have the store and processes that have not: calls and streams, with all that can befall them.
//
// Owns:    the doors of servers; the connections of those outside; what is lost, late, twice or silent on the way; what passed, so that an
//          intruder can send it again.
// Is told: by hosts, when a server begins and ends.
// Always:  WR1 every byte is encoded by one side and decoded by the other: nothing passes but messages of the protocol.
//          WR2 a process that stands still is told when it goes on, on either side; a dead one never.
//          WR3 what a body outside holds is its own for as long as its stream is open and its server has its lease, and no longer is claimed.
import { readRequest } from "../../packages/grpc/src/codec/messages.ts";
import { readAnswers, readCalls, type CallOut } from "../../packages/grpc/src/codec/own-calls.ts";
import { inMemoryChannel, type CallFault, type InMemoryChannel, type OutgoingCall } from "../../packages/grpc/src/transport/in-memory.ts";
import type { Channel, OpenStream, Served, StreamListener } from "../../packages/grpc/src/transport/transport.ts";
import { WireError } from "../../packages/grpc/src/transport/wire-error.ts";
import type { Clock } from "../../packages/ostinato/src/platform/clock.ts";
import type { Agenda } from "./agenda.ts";
import type { Chance } from "./chance.ts";
import type { AnyFaultClass, WireFaultClass } from "./setup.ts";
import { count, type Tally } from "./tally.ts";
import { Tokens } from "./tokens.ts";
import type { Witness } from "./witness.ts";

/** What the wire shares with its world. */
export interface WireWorld {
  readonly agenda: Agenda;
  readonly witness: Witness;
  readonly tally: Tally;
  readonly has: (fault: AnyFaultClass) => boolean;
}

/** A server that lives. */
export interface Door {
  readonly name: string;
  readonly served: Served;
  readonly deliver: (run: () => void) => void;
}

/** Who connects from outside. */
export interface Outsider {
  readonly name: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly deliver: (run: () => void) => void;
  readonly isDead: () => boolean;
  readonly atDeath: (stop: () => void) => void;
}

/** Longer than any world. */
const FOR_EVER = Number.MAX_SAFE_INTEGER;

/** The wire of a world. */
export class Wire {
  readonly tokens = new Tokens();
  readonly #world: WireWorld;
  readonly #doors = new Map<string, Door>();
  /** Connections of those outside, by the door's name. */
  readonly #connections = new Set<{ readonly door: string; readonly channel: InMemoryChannel }>();
  /** Whose work streams come from which door. */
  readonly #working = new Map<string, string>();
  readonly #leases = new Map<string, number>();
  /** Ids of events that have reached a server. */
  readonly #raised = new Set<string>();
  #repetitions = 0;

  constructor(world: WireWorld) {
    this.#world = world;
  }

  /** A server lives from now on. */
  opened(name: string, service: Served, deliver: (run: () => void) => void): void {
    this.#doors.set(name, { name, served: heldUp(service, deliver), deliver });
  }

  /** It has died, or has closed: whoever was connected learns it. */
  closed(name: string): void {
    this.#doors.delete(name);
    this.#leases.delete(name);
    this.tokens.lost(name);
    for (const each of [...this.#connections])
      if (each.door === name) {
        this.#connections.delete(each);
        each.channel.setDown(true);
      }
  }

  /** A server's lease: what its workers outside hold is theirs until then. */
  renewed(name: string, until: number): void {
    this.#leases.set(name, until);
    for (const [outside, door] of this.#working) if (door === name) this.#world.witness.see(outside, { kind: "lease", until });
  }

  /** A server's patience is over: what its workers outside still run goes back, whether it ends or not. */
  givesBack(name: string): void {
    for (const [outside, door] of [...this.#working]) if (door === name) this.#stopped(outside);
  }

  get doors(): readonly Door[] {
    return [...this.#doors.values()];
  }

  /** The connection of somebody outside: to one server after the other, whichever lives. */
  channelOf(outsider: Outsider): Channel {
    const { agenda } = this.#world;
    const { chance, deliver, isDead } = outsider;
    const goesAlone = chance.happens(0.5);
    let current: { readonly door: string; readonly channel: InMemoryChannel } | undefined;
    const connection = (): InMemoryChannel => {
      if (current !== undefined && this.#connections.has(current)) return current.channel;
      const [...doors] = this.#doors.values();
      if (doors.length === 0) throw new WireError("UNAVAILABLE", "no server is there");
      const door = chance.pick(doors);
      const fault = (call: OutgoingCall): CallFault | undefined => this.#fault(call, chance);
      const channel = inMemoryChannel(this.#heard(door), { timers: outsider.clock, peer: outsider.name, fault });
      current = { door: door.name, channel };
      this.#connections.add(current);
      return channel;
    };
    const leave = (): void => {
      if (current === undefined) return;
      const { channel } = current;
      this.#connections.delete(current);
      current = undefined;
      void channel.close();
    };
    outsider.atDeath(() => {
      // A process that is gone says goodbye by its sockets, or, when its machine went, not at all for a while.
      const lingers = this.#strikes("half-open", 0.4, chance) ? chance.between(1_000, 45_000) : 0;
      this.#stopped(outsider.name);
      if (lingers === 0) leave();
      else agenda.at(agenda.now + lingers, leave);
    });
    this.#unrest(outsider, () => current?.channel);

    return {
      unary: (method, message, options) =>
        new Promise((resolve, reject) => {
          if (isDead()) return;
          let asked: ReturnType<Channel["unary"]>;
          try {
            asked = connection().unary(method, message, options);
          } catch (error) {
            return deliver(() => reject(asError(error)));
          }
          asked.then(
            (reply) => {
              this.tokens.answered(method, message);
              deliver(() => resolve(reply));
            },
            (error: Error) => deliver(() => reject(error)),
          );
        }),
      stream: (method, message, listener, options) => {
        if (isDead()) return NOTHING;
        try {
          const channel = connection();
          return channel.stream(method, message, this.#listening(outsider, current!.door, method, listener), options);
        } catch (error) {
          queueMicrotask(() => deliver(() => listener.ended(error as WireError)));
          return NOTHING;
        }
      },
      duplex: (method, listener, options) => {
        if (isDead()) return NOTHING;
        // Some go alone with each call, as those do whose server knows no calls that travel together.
        if (goesAlone) {
          queueMicrotask(() => deliver(() => listener.ended(new WireError("UNIMPLEMENTED", `there is no ${method} here`))));
          return NOTHING;
        }
        try {
          const channel = connection();
          return channel.duplex(method, this.#listening(outsider, current!.door, method, listener), options);
        } catch (error) {
          queueMicrotask(() => deliver(() => listener.ended(error as WireError)));
          return NOTHING;
        }
      },
      reset: leave,
      close: () => {
        leave();
        return Promise.resolve();
      },
    };
  }

  /** A listener that is told when its process is not standing still. Tells the witness what is whose. */
  #listening({ name, deliver }: Outsider, door: string, method: string, listener: StreamListener): StreamListener {
    const { witness } = this.#world;
    const isWork = method === "GetWorkItems";
    const begin = (): void => {
      if (!isWork || this.#working.get(name) === door) return;
      this.#working.set(name, door);
      witness.see(name, { kind: "lease", until: this.#leases.get(door) ?? FOR_EVER });
    };
    return {
      headers: (metadata) => {
        begin();
        deliver(() => listener.headers?.(metadata));
      },
      message: (message) => {
        begin();
        deliver(() => listener.message(message));
      },
      ended: (error) => {
        if (isWork) this.#stopped(name);
        deliver(() => listener.ended(error));
      },
    };
  }

  /** Its stream of work has gone: what it runs may be somebody else's from now on (WR3). */
  #stopped(name: string): void {
    if (!this.#working.delete(name)) return;
    this.#world.witness.see(name, { kind: "lease", until: 0 });
  }

  /** A signal that is brought once more is asked for once more, as an event is. */
  #signalled(message: Uint8Array): void {
    const { instanceId, name: operation, input, requestId } = readRequest("SignalEntity", message);
    if (!this.#raised.has(requestId)) return void this.#raised.add(requestId);
    const what = { requestId, operation, ...(input === undefined ? {} : { input }) };
    this.#world.witness.see("wire", { kind: "invoke", call: `wire:${++this.#repetitions}`, op: "signal", instanceId, what });
  }

  /** An event that the wire, or a client's backend, brings once more is asked for once more: the product knows its id as long as it is unread. */
  #brought(message: Uint8Array): void {
    const { instanceId, name: event, input, ownMessageId: messageId } = readRequest("RaiseEvent", message);
    if (!this.#raised.has(messageId)) return void this.#raised.add(messageId);
    count(this.#world.tally.goals, "an event was brought twice");
    const what = { messageId, event, ...(input === undefined ? {} : { input }) };
    this.#world.witness.see("wire", { kind: "invoke", call: `wire:${++this.#repetitions}`, op: "raise", instanceId, what });
  }

  /** The tokens that a server sends are noted as they leave it; events as they come. */
  #heard({ name, served }: Door): Served {
    return {
      ...served,
      unary: (call, message) => {
        if (call.method === "RaiseEvent") this.#brought(message);
        if (call.method === "SignalEntity") this.#signalled(message);
        return served.unary(call, message);
      },
      stream: (call, message, writer) =>
        served.stream(call, message, {
          drained: () => writer.drained(),
          write: (bytes) => {
            if (call.method === "GetWorkItems") this.tokens.sent(bytes, name);
            return writer.write(bytes);
          },
        }),
      duplex: (call, incoming, writer) => {
        const asked = new Map<number, CallOut>();
        const come = (bytes: Uint8Array): void => {
          for (const each of readCalls(bytes)) {
            asked.set(each.number, each);
            if (each.method === "RaiseEvent") this.#brought(each.message);
            if (each.method === "SignalEntity") this.#signalled(each.message);
          }
        };
        return served.duplex(call, seen(incoming, come), {
          drained: () => writer.drained(),
          write: (bytes) => {
            for (const answer of readAnswers(bytes)) {
              const each = asked.get(answer.number);
              if (each !== undefined && !("error" in answer)) this.tokens.answered(each.method, each.message);
            }
            return writer.write(bytes);
          },
        });
      },
    };
  }

  // ---- faults

  #strikes(fault: WireFaultClass, probability: number, chance: Chance): boolean {
    const { has, tally } = this.#world;
    if (!has(fault) || !chance.happens(probability)) return false;
    count(tally.faults, fault);
    return true;
  }

  #fault({ kind, method }: OutgoingCall, chance: Chance): CallFault | undefined {
    const strikes = (fault: WireFaultClass, probability: number): boolean => this.#strikes(fault, probability, chance);
    if (kind !== "unary") {
      if (strikes("stream-cut", 0.15)) return { kind: "cutAfter", messages: chance.between(1, 6) };
      if (method === "GetWorkItems" && strikes("silence", 0.2)) return { kind: "silence" };
      return strikes("call-lost", 0.05) ? { kind: "loseCall" } : undefined;
    }
    if (strikes("call-lost", 0.05)) return { kind: "loseCall" };
    if (strikes("reply-lost", 0.07)) return { kind: "loseReply" };
    if (strikes("call-twice", 0.07)) return { kind: "deliverTwice" };
    if (method.startsWith("Complete") && strikes("completion-late", 0.06)) return { kind: "delayCall", ms: chance.between(5_000, 60_000) };
    if (strikes("wire-delay", 0.3))
      return { kind: chance.happens(0.5) ? "delayCall" : "delayReply", ms: chance.below(chance.happens(0.1) ? 8_000 : 200) };
    return undefined;
  }

  /** Connections that are lost at any moment, in the middle of whatever is under way. */
  #unrest({ chance, isDead }: Outsider, channel: () => InMemoryChannel | undefined): void {
    const { agenda } = this.#world;
    const next = (): void => {
      agenda.at(agenda.now + chance.between(2_000, 25_000), () => {
        if (isDead()) return;
        const each = channel();
        if (each !== undefined && this.#strikes("connection-lost", 0.5, chance)) {
          if (chance.happens(0.5)) each.cutStreams();
          else each.reset();
        }
        // When the faults have stopped nothing comes any more.
        if (this.#world.has("connection-lost")) next();
      });
    };
    if (this.#world.has("connection-lost")) next();
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

const NOTHING: OpenStream = { cancel: () => undefined, send: () => undefined };

/** A service in a process that may stand still, or die. */
function heldUp(service: Served, deliver: (run: () => void) => void): Served {
  return {
    kindOf: (method) => service.kindOf(method),
    unary: (call, message) => new Promise((resolve, reject) => deliver(() => void service.unary(call, message).then(resolve, reject))),
    stream: (call, message, writer) =>
      new Promise((resolve, reject) => deliver(() => void service.stream(call, message, writer).then(resolve, reject))),
    duplex: (call, incoming, writer) =>
      new Promise((resolve, reject) => deliver(() => void service.duplex(call, held(incoming, deliver), writer).then(resolve, reject))),
  };
}

/** What comes to a process that may stand still. */
async function* held(incoming: AsyncIterable<Uint8Array>, deliver: (run: () => void) => void): AsyncIterable<Uint8Array> {
  for await (const bytes of incoming) {
    await new Promise<void>((resolve) => deliver(resolve));
    yield bytes;
  }
}

async function* seen(incoming: AsyncIterable<Uint8Array>, see: (bytes: Uint8Array) => void): AsyncIterable<Uint8Array> {
  for await (const bytes of incoming) {
    see(bytes);
    yield bytes;
  }
}
