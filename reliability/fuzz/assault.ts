// assault: a target, attacked by so many messages in a row, with somebody honest in it; then everything is taken away, and nothing may be left.
//
// Owns:    when what is sent; what is open; what is looked at in the end.
// Always:  AS1 the same seed and place give the same messages in the same order: a message is reproduced by running its assault up to it.
//          AS2 after each act nothing of the attackers' is left: no item out, no stream, no past, no instance.
import type { Backend, WorkerConnection, WorkerInterest } from "../../packages/ostinato/src/contract/backend.ts";
import type { MemoryInstance } from "../../packages/ostinato/src/stores/memory/memory-store.ts";
import { METHODS, readReply } from "../../packages/grpc/src/codec/messages.ts";
import { OWN_CALLS, readAnswers } from "../../packages/grpc/src/codec/own-calls.ts";
import type { OpenStream, StreamListener } from "../../packages/grpc/src/transport/transport.ts";
import { WireError } from "../../packages/grpc/src/transport/wire-error.ts";
import { chanceOf, type Chance } from "../simulation/chance.ts";
import { count } from "../simulation/tally.ts";
import { Attacker, type Shot } from "./attacker.ts";
import { beginHonest, honestPrefix, type HonestRound } from "./honest.ts";
import { createTarget, HUBS, TOKENS, type HubName, type Target } from "./target.ts";
import { errorVerdict, isPolluted, verdictOf, type Result } from "./verdict.ts";
import { itemOf, WireTap } from "./wire-tap.ts";

/** So many messages one target gets. */
export const ASSAULT = 10_000;
/** After so many everything is taken away and looked at. */
const ACT = 1_000;
const MOST_STREAMS = 6;
const MOST_OPEN_CALLS = 400;
const HONEST_AT_ONCE = 12;
/** So long an honest orchestration may take, and a call that is no wait. */
const PATIENCE_MS = 600_000;

/** The engine writes no history that a worker makes up, and says so as loudly as of a mistake of its own. */
const FORESEEN = /^a rule of the engine is broken: A worker answered a turn of .* with a rewind that nobody had asked for/s;

/** Something that should not have been. */
export interface Finding {
  /** The message that it came of; of an act's end the last one. */
  readonly message: number;
  readonly what: string;
  readonly shot?: Shot;
  /** What it is called that is the same each time: one cause is told once. */
  readonly sign: string;
}

/** What was done and what came of it. */
export interface FuzzTally {
  readonly moves: Map<string, number>;
  readonly methods: Map<string, number>;
  readonly damages: Map<string, number>;
  readonly statuses: Map<string, number>;
  readonly counters: Map<string, number>;
  readonly notes: Map<string, number>;
  readonly findings: Map<string, number>;
}

export function newFuzzTally(): FuzzTally {
  return {
    moves: new Map(),
    methods: new Map(),
    damages: new Map(),
    statuses: new Map(),
    counters: new Map(),
    notes: new Map(),
    findings: new Map(),
  };
}

/** What an assault is given. */
export interface AssaultOptions {
  readonly seed: number;
  /** The first message; a multiple of ASSAULT. */
  readonly from: number;
  readonly messages: number;
  readonly tally: FuzzTally;
  /** Called when an act is over and everything has been taken away. */
  readonly quiet?: () => void;
  /** Sees each message before it is sent. */
  readonly watch?: (message: number, shot: Shot) => void;
  readonly answered?: (message: number, status: string) => void;
}

/** Sends so many messages to a target of its own. What was found. */
export async function assault(options: AssaultOptions): Promise<readonly Finding[]> {
  const realNow = performance.now.bind(performance);
  // The product yields to the loop of this process after some real time. Here no time passes but the target's own.
  performance.now = () => 0;
  try {
    return await new Assault(options).run();
  } finally {
    performance.now = realNow;
  }
}

interface OpenCall {
  readonly message: number;
  readonly shot: Shot;
  readonly since: number;
  readonly abort: AbortController;
}

interface OpenWork {
  stream?: OpenStream;
}

class Assault {
  readonly #options: AssaultOptions;
  readonly #chance: Chance;
  readonly #tap: WireTap;
  readonly #findings: Finding[] = [];
  readonly #calls = new Set<OpenCall>();
  readonly #streams = new Set<OpenWork>();
  #message: number;
  #lastShot: Shot | undefined;
  #target!: Target;
  #attacker!: Attacker;
  #unknownRefused = 0;
  /** Rules of the engine that a worker has tried to break, and could not. */
  #foreseen = 0;

  constructor(options: AssaultOptions) {
    this.#options = options;
    this.#message = options.from;
    this.#chance = chanceOf(options.seed, `assault ${options.from}`);
    const thinking = chanceOf(options.seed, `thinking ${options.from}`);
    this.#tap = new WireTap(() => this.#target.agenda.after(thinking.pick([0, 10, 200, 3_000])));
  }

  async run(): Promise<readonly Finding[]> {
    const { seed, from, messages } = this.#options;
    const strays: unknown[] = [];
    const stray = (reason: unknown): void => void strays.push(reason);
    process.on("unhandledRejection", stray);
    process.on("uncaughtException", stray);
    try {
      this.#target = await createTarget(seed + from, this.#tap.tap);
      const { agenda } = this.#target;
      this.#attacker = new Attacker(chanceOf(seed, `attacker ${from}`), this.#tap, () => agenda.now);
      for (const until = from + messages; this.#message < until;) {
        try {
          await this.#act(Math.min(ACT, until - this.#message));
        } catch (error) {
          // Whatever a timer throws ends a process.
          this.#found(`something was thrown out of a timer: ${error instanceof Error ? error.stack : String(error)}`);
        }
        for (const reason of strays.splice(0))
          this.#found(`a rejection that nobody handled: ${reason instanceof Error ? reason.stack : String(reason)}`);
        this.#options.quiet?.();
      }
      await this.#target.close();
      for (const reason of strays.splice(0)) this.#found(`at the end, a rejection that nobody handled: ${String(reason)}`);
    } finally {
      process.off("unhandledRejection", stray);
      process.off("uncaughtException", stray);
    }
    return this.#findings;
  }

  #found(
    what: string,
    at: { readonly message: number; readonly shot?: Shot | undefined } = { message: this.#message, shot: this.#lastShot },
  ): void {
    const sign = signOf(what);
    count(this.#options.tally.findings, sign);
    if (this.#findings.some((each) => each.sign === sign)) return;
    this.#findings.push({ message: at.message, what, sign, ...(at.shot === undefined ? {} : { shot: at.shot }) });
  }

  // ---- an act

  async #act(messages: number): Promise<void> {
    const { agenda, service, honest } = this.#target;
    const before = service.counters();
    this.#unknownRefused = 0;
    const round = beginHonest(honest, `${honestPrefix(this.#options.seed)}-${this.#message}`, HONEST_AT_ONCE);
    for (let left = messages; left > 0;) {
      const burst = Math.min(left, this.#chance.between(1, 12));
      for (let n = 0; n < burst; n++) this.#send();
      left -= burst;
      await agenda.runUntil(agenda.now + this.#pause());
      this.#mischief();
      this.#look();
    }
    await this.#end(round, before);
  }

  #pause(): number {
    const roll = this.#chance.below(1_000);
    if (roll < 3) return this.#chance.between(10_000, 130_000);
    return roll < 600 ? 0 : this.#chance.pick([1, 5, 50, 500]);
  }

  /** What a network and a worker do that behave badly, beside what they send. */
  #mischief(): void {
    const roll = this.#chance.below(1_000);
    const { channel } = this.#target;
    if (roll < 10) channel.cutStreams();
    else if (roll < 25) channel.setSlow(true);
    else if (roll < 60) channel.setSlow(false);
    else if (roll < 90) for (const { stream } of this.#streams) if (this.#chance.happens(0.5)) stream?.cancel();
    if (roll >= 90 && roll < 130) for (const call of this.#calls) if (this.#chance.happens(0.3)) call.abort.abort();
  }

  /** Calls that should have been answered; errors in the log. */
  #look(): void {
    const { agenda } = this.#target;
    for (const call of this.#calls)
      if (agenda.now - call.since > PATIENCE_MS) {
        this.#calls.delete(call);
        this.#found(`${call.shot.method} has no answer after ${PATIENCE_MS / 1_000} s`, call);
      }
    for (const { message, detail, isOfInstance } of this.#target.takeComplaints()) {
      const { notes } = this.#options.tally;
      if (isOfInstance && FORESEEN.test(message)) {
        this.#foreseen++;
        count(notes, "histories that a worker made up: not written, the instance set aside");
      }
      // That an instance stands still is told to operators; the reason may be its worker's own words.
      else if (isOfInstance && !message.startsWith("a rule of the engine")) count(notes, "instances that were set aside or stalled");
      else this.#found(`an error was logged: ${message} ${detail.slice(0, 1_500)}`);
    }
    if (isPolluted()) this.#found("a prototype has been changed");
  }

  // ---- sending

  #send(): void {
    const message = this.#message++;
    const shot = this.#attacker.next();
    this.#lastShot = shot;
    const { tally, watch } = this.#options;
    count(tally.moves, shot.move);
    count(tally.methods, Object.hasOwn(METHODS, shot.method) ? shot.method : "(none)");
    for (const name of shot.damage) count(tally.damages, name);
    watch?.(message, shot);
    if (shot.method === "GetWorkItems") this.#openWork(message, shot);
    else if (shot.method === "StreamInstanceHistory") this.#readHistory(message, shot);
    else if (shot.method === OWN_CALLS) this.#askTogether(message, shot);
    else this.#ask(message, shot);
  }

  #metadata(shot: Shot): Record<string, string> {
    const metadata: Record<string, string> = {};
    if (shot.hub !== undefined) metadata["taskhub"] = shot.hub;
    if (shot.ours) metadata["ostinato-protocol"] = "1";
    if (shot.caller !== "nobody") metadata["authorization"] = `Bearer ${TOKENS[shot.caller]}`;
    return metadata;
  }

  #ask(message: number, shot: Shot): void {
    const { agenda, channel } = this.#target;
    const abort = new AbortController();
    const call: OpenCall = { message, shot, since: agenda.now, abort };
    this.#calls.add(call);
    if (this.#calls.size > MOST_OPEN_CALLS) [...this.#calls][0]!.abort.abort();
    const isLive = shot.token !== undefined && this.#tap.live.has(shot.token);
    const over = (result: Result): void => {
      this.#calls.delete(call);
      this.#judge(message, shot, result, isLive && this.#tap.live.has(shot.token));
    };
    channel.unary(shot.method, shot.bytes, { metadata: this.#metadata(shot), timeoutMs: shot.timeoutMs, signal: abort.signal }).then(
      (reply) => over({ kind: "reply", reply }),
      (error: unknown) => over({ kind: "error", error }),
    );
  }

  #judge(message: number, shot: Shot, result: Result, isLive: boolean): void {
    const status = result.kind === "reply" ? "OK" : result.error instanceof WireError ? result.error.status : "?";
    count(this.#options.tally.statuses, `${shot.method.slice(0, 40)} ${status}`);
    this.#options.answered?.(message, result.kind === "reply" ? status : `${status} ${String(result.error)}`);
    const wrong = verdictOf(shot, result, isLive);
    if (wrong !== undefined) this.#found(wrong, { message, shot });
    if (shot.demand === "refused" && /^Complete/.test(shot.method) && status === "NOT_FOUND") this.#unknownRefused++;
    if (result.kind === "reply" && wrong === undefined) this.#learn(shot, result.reply.message);
  }

  /** Places in lists are worth knowing. */
  #learn(shot: Shot, bytes: Uint8Array): void {
    if (shot.method !== "QueryInstances" && shot.method !== "ListInstanceIds") return;
    const place =
      shot.method === "QueryInstances"
        ? readReply(shot.method, bytes).continuationToken
        : readReply(shot.method as "ListInstanceIds", bytes).lastInstanceKey;
    if (place !== undefined && place !== "") this.#attacker.learnt(place);
  }

  #openWork(message: number, shot: Shot): void {
    const hub = shot.hub === "shared" ? "shared" : "wild";
    if (this.#streams.size >= MOST_STREAMS) [...this.#streams][0]?.stream?.cancel();
    this.#open(message, shot, (bytes) => {
      const item = itemOf(bytes);
      if (item === undefined) return;
      count(this.#options.tally.notes, `items that an attacker took: ${item.kind}`);
      if (/^@?honest-/.test(item.instanceId))
        this.#found(`the attacker was handed the honest one's work: ${item.instanceId}`, { message, shot });
      this.#attacker.took(item, hub);
    });
  }

  #readHistory(message: number, shot: Shot): void {
    let heard = 0;
    this.#open(message, shot, (bytes) => {
      readReply("StreamInstanceHistory", bytes);
      if (heard++ === 0 && shot.demand === "refused") this.#found(`'${shot.move}' was accepted`, { message, shot });
    });
  }

  #askTogether(message: number, shot: Shot): void {
    const listener = this.#listener(message, shot, (bytes) => {
      for (const answer of readAnswers(bytes)) {
        count(this.#options.tally.statuses, `${OWN_CALLS} ${"error" in answer ? answer.error.status : "OK"}`);
        if (!("error" in answer) && shot.caller !== "attacker" && shot.caller !== "viewer")
          this.#found("a stranger was answered", { message, shot });
        const wrong = "error" in answer ? errorVerdict(answer.error) : undefined;
        if (wrong !== undefined) this.#found(wrong, { message, shot });
      }
    });
    const stream = this.#target.channel.duplex(shot.method, listener, { metadata: this.#metadata(shot), timeoutMs: shot.timeoutMs });
    stream.send(shot.bytes);
    if (this.#chance.happens(0.3)) stream.send(shot.bytes);
    if (this.#chance.happens(0.3)) stream.cancel();
  }

  #open(message: number, shot: Shot, hear: (bytes: Uint8Array) => void): void {
    const { channel } = this.#target;
    let over = false;
    const work: OpenWork = {};
    const ended = (): void => {
      over = true;
      this.#streams.delete(work);
    };
    const options = { metadata: this.#metadata(shot), ...(shot.method === "GetWorkItems" ? {} : { timeoutMs: 60_000 }) };
    work.stream = channel.stream(shot.method, shot.bytes, this.#listener(message, shot, hear, ended), options);
    if (!over && shot.method === "GetWorkItems") this.#streams.add(work);
  }

  /** Hears a stream; its end is judged. */
  #listener(message: number, shot: Shot, hear: (bytes: Uint8Array) => void, over: () => void = () => undefined): StreamListener {
    return {
      message: (bytes) => {
        try {
          hear(bytes);
        } catch (error) {
          this.#found(`a message of ${shot.method} cannot be read: ${String(error)}`, { message, shot });
        }
      },
      ended: (error) => {
        over();
        const status = error?.status ?? "OK";
        count(this.#options.tally.statuses, `${shot.method} ${status}`);
        this.#options.answered?.(message, error === undefined ? status : `${status} ${String(error)}`);
        const wrong = error === undefined ? undefined : errorVerdict(error);
        if (wrong !== undefined) this.#found(wrong, { message, shot });
      },
    };
  }

  // ---- the end of an act: the honest one is done, and nothing of the attackers' is left (AS2)

  async #end(round: HonestRound, before: Readonly<Record<string, number>>): Promise<void> {
    const { agenda, channel, service } = this.#target;
    channel.setSlow(false);
    for (const { stream } of [...this.#streams]) stream?.cancel();
    await this.#until(() => round.isOver(), PATIENCE_MS);
    if (round.isOver()) {
      for (const wrong of await round.done) this.#found(`the honest one was disturbed: ${wrong}`);
      count(this.#options.tally.notes, "honest orchestrations that came out right", HONEST_AT_ONCE);
    } else this.#found(`the honest one still waits after ${PATIENCE_MS / 1_000} s: ${[...round.open].join(", ")}`);
    for (const call of this.#calls) call.abort.abort();
    await agenda.runUntil(agenda.now + 60_000);
    for (const call of this.#calls) this.#found(`${call.shot.method} goes on although its caller has gone`, call);
    this.#calls.clear();
    for (const name of HUBS) await this.#empty(name);
    this.#look();
    const after = service.counters();
    for (const [name, amount] of Object.entries(after)) count(this.#options.tally.counters, name, amount - (before[name] ?? 0));
    if (after["itemsOut"] !== 0) this.#found(`${after["itemsOut"]} work items are still out`);
    if (after["streams"] !== 1) this.#found(`${after["streams"]} streams are open, and the honest one has one`);
    if (after["historyCacheBytes"] !== 0) this.#found(`${after["historyCacheBytes"]} bytes of histories are still kept`);
    const counted = (after["completionsUnknown"] ?? 0) - (before["completionsUnknown"] ?? 0);
    if (counted < this.#unknownRefused) this.#found(`${this.#unknownRefused} forged tokens were refused, and ${counted} counted`);
    let broken = 0;
    for (const name of HUBS) {
      broken += this.#target.behind[name].backend.counters()["invariantsBroken"] ?? 0;
    }
    if (broken > this.#foreseen) this.#found(`a rule of the engine would have been broken ${broken - this.#foreseen} times`);
  }

  async #until(isOver: () => boolean, ms: number): Promise<void> {
    const { agenda } = this.#target;
    for (const until = agenda.now + ms; !isOver() && agenda.now < until;) await agenda.runUntil(agenda.now + 1_000);
  }

  /** Everything in a hub is terminated and purged, and every entity does what it was asked for and is cleared. What cannot be is a finding. */
  async #empty(name: HubName): Promise<void> {
    const { agenda, behind } = this.#target;
    const { store, backend } = behind[name];
    // A signal that is for years to come keeps its entity.
    const waitsForLater = ({ record, inbox }: MemoryInstance): boolean =>
      record.kind === "entity" && inbox.size > 0 && [...inbox.values()].every(({ message }) => (message.visibleAt ?? 0) > agenda.now);
    const left = () => [...store.contents().instances].filter((each) => !waitsForLater(each));
    let janitor: WorkerConnection | undefined;
    void connectJanitor(backend).then((line) => (janitor = line));
    for (let tries = 0; tries < 12 && left().length > 0; tries++) {
      for (const { record } of left()) {
        const { id: instanceId, kind, completedAt } = record;
        if (kind === "entity") {
          void backend.resume(instanceId).catch(() => undefined);
          void backend.signalEntity({ entityId: instanceId, operation: "delete", requestId: `delete ${tries}` }).catch(() => undefined);
        } else if (completedAt === undefined) void backend.terminate({ instanceId, recursive: true }).catch(() => undefined);
      }
      await agenda.runUntil(agenda.now + 15_000);
      void backend.purgeMany({ target: { filter: {} }, recursive: true }).catch(() => undefined);
      void backend.cleanEntityStorage({ removeEmptyEntities: true, releaseOrphanedLocks: true }).catch(() => undefined);
      await agenda.runUntil(agenda.now + 15_000);
    }
    void janitor?.close();
    await agenda.runUntil(agenda.now + 1_000);
    const stuck = left();
    for (const { record, inbox } of stuck.slice(0, 3))
      this.#found(
        `in '${name}' this cannot be taken away: ${record.id} (${record.status}, ${record.stall?.reason ?? "not stalled"}, ${inbox.size} messages)`,
      );
    const places = Object.entries(store.contents().places).filter(([, amount]) => amount > 0);
    if ([...store.contents().instances].length === 0 && places.length > 0)
      this.#found(`in '${name}' something is left of nothing: ${JSON.stringify(places)}`);
  }
}

/** Does every batch of every entity, and leaves no state. */
async function connectJanitor(backend: Backend): Promise<WorkerConnection> {
  const nobodys = { maxConcurrentOrchestrations: 0, maxConcurrentActivities: 1, warmBytes: 0, warmIdleMs: 0 };
  const interest: WorkerInterest = { ...nobodys, orchestrators: [], activities: [], entities: "any", maxConcurrentEntities: 1_000 };
  const { promise: connected, resolve } = Promise.withResolvers<WorkerConnection>();
  const line = await backend.connectWorker(interest, (items) => {
    for (const item of items) {
      if (item.kind !== "entity") continue;
      const results = item.operations.map(() => ({ kind: "succeeded" as const }));
      void connected.then((it) => it.completeEntity({ kind: "batch", token: item.token, results, actions: [] })).catch(() => undefined);
    }
  });
  resolve(line);
  return line;
}

/** What stays the same of a finding when it is found again: no ids, no numbers, no texts of the attacker's. */
function signOf(what: string): string {
  const [first = "", second = ""] = what.split("\n");
  const plain = (text: string): string => text.replaceAll(/'[^']*'|[0-9a-f]{16,}|\d+|\b(?:instanceId|number)=\S+/g, "_").slice(0, 160);
  if (first.includes("a rule of the engine")) return plain(first.replace(/a turn of .* with/, "a turn with"));
  return `${plain(first)}${second === "" ? "" : ` ${plain(second.trim())}`}`;
}
