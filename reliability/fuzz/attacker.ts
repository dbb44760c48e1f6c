// attacker: decides what is sent next. It has a token of its own, takes work of its own and answers it, well or badly; it reads what the honest
// one is sent, and tries that too.
//
// Owns:    the moves, and what the attacker has learnt: its items, ids of executions, places in lists, messages that it sent before.
// Always:  AT1 nothing that the attacker may do, being let into the hub, would disturb the honest: it takes no work by their names, and purges and
//             recreates in the hub `wild` alone. What it may not do it tries everywhere.
import { METHODS, readRequest, type MethodName } from "../../packages/grpc/src/codec/messages.ts";
import { OWN_CALLS, writeCalls } from "../../packages/grpc/src/codec/own-calls.ts";
import { OwnCallsSchema } from "../../packages/grpc/src/generated/task_hub_sidecar_pb.js";
import type { Chance } from "../simulation/chance.ts";
import { grow, type Lore } from "./grow.ts";
import { HONEST_ACTIVITIES, HONEST_ENTITIES, HONEST_NAMES } from "./honest.ts";
import { mutate, type MutationName } from "./mutate.ts";
import type { CallerName, HubName } from "./target.ts";
import { read, write, type Field } from "./tree.ts";
import type { SeenItem, WireTap } from "./wire-tap.ts";
import * as words from "./words.ts";

/** What an attacker does. */
export const MOVES = [
  /** Any call, with a message grown from its schema. */
  "call",
  /** Several of them in one message of one stream, as ends of ours send them. */
  "calls together",
  /** A request that the honest one made, with another caller and damage. */
  "echo of the honest",
  "start",
  "signal",
  "open stream",
  "answer turn",
  "answer activity",
  "answer batch",
  "abandon",
  "part of an answer",
  "answer again",
  "forged token",
  "stale token of the honest",
  "token of the honest in another hub",
  "token of the honest for another instance",
  "token of the honest for the wrong kind",
  "names of the honest without a token",
  "past of the honest",
  "history",
  "unknown method",
  "no message at all",
] as const;
export type Move = (typeof MOVES)[number];

/** What must come of it, beside what must come of everything. */
export type Demand = "refused" | "refused while live" | undefined;

/** A message that is sent. */
export interface Shot {
  readonly move: Move;
  readonly method: string;
  readonly hub: string | undefined;
  readonly caller: CallerName | "nobody";
  readonly ours: boolean;
  readonly bytes: Uint8Array;
  readonly damage: readonly MutationName[];
  readonly demand: Demand;
  /** The honest one's token that it makes use of. */
  readonly token?: string;
  readonly timeoutMs: number;
}

interface Held extends SeenItem {
  readonly hub: HubName;
}

const METHOD_NAMES = Object.keys(METHODS) as MethodName[];
/** Calls that may last. */
const SLOW: ReadonlySet<string> = new Set(["WaitForInstanceStart", "WaitForInstanceCompletion", "CreateTaskHub", "DeleteTaskHub"]);
/** Calls that reach what others have made. */
const WIDE: ReadonlySet<string> = new Set(["PurgeInstances", "CreateTaskHub", "DeleteTaskHub"]);
const OF_THE_HONEST: ReadonlySet<string> = new Set([...HONEST_NAMES, ...HONEST_ACTIVITIES, ...HONEST_ENTITIES]);
const ABANDONS = {
  turn: "AbandonTaskOrchestratorWorkItem",
  activity: "AbandonTaskActivityWorkItem",
  batch: "AbandonTaskEntityWorkItem",
} as const;
const encoder = new TextEncoder();

/** Decides what is sent. */
export class Attacker {
  readonly #chance: Chance;
  readonly #tap: WireTap;
  readonly #now: () => number;
  readonly #held: Held[] = [];
  readonly #sent: Shot[] = [];
  readonly #executions: string[] = ["e1"];
  readonly #places: string[] = ["0", "1"];

  constructor(chance: Chance, tap: WireTap, now: () => number) {
    this.#chance = chance;
    this.#tap = tap;
    this.#now = now;
  }

  /** An item came on a stream of the attacker's. */
  took(item: SeenItem, hub: HubName): void {
    this.#held.push({ ...item, hub });
    if (this.#held.length > 150) this.#held.shift();
    if (item.executionId !== "") this.#learn(this.#executions, item.executionId);
  }

  /** A place in a list, by which the next page is asked for. */
  learnt(place: string): void {
    this.#learn(this.#places, place);
  }

  #learn(list: string[], text: string): void {
    list.push(text);
    if (list.length > 40) list.splice(1, 1);
  }

  /** What is sent next. */
  next(): Shot {
    const shot = this.#safe(this.#of(this.#move()));
    this.#sent.push(shot);
    if (this.#sent.length > 60) this.#sent.shift();
    return shot;
  }

  #move(): Move {
    // Without work of its own there is nothing to answer.
    if (this.#held.length === 0 && this.#chance.happens(0.1)) return "open stream";
    const roll = this.#chance.below(100);
    if (roll < 21) return "call";
    if (roll < 24) return "calls together";
    if (roll < 28) return "echo of the honest";
    if (roll < 38) return "start";
    if (roll < 42) return "signal";
    if (roll < 44) return "open stream";
    if (roll < 61) return "answer turn";
    if (roll < 69) return "answer activity";
    if (roll < 74) return "answer batch";
    if (roll < 76) return "abandon";
    if (roll < 80) return "part of an answer";
    if (roll < 83) return "answer again";
    if (roll < 97) return this.#chance.pick(MOVES.slice(MOVES.indexOf("forged token"), MOVES.indexOf("unknown method")));
    return roll < 99 ? "unknown method" : "no message at all";
  }

  #of(move: Move): Shot {
    const chance = this.#chance;
    switch (move) {
      case "call":
        return this.#grown(move, chance.pick(METHOD_NAMES));
      case "signal":
        return this.#signal();
      case "calls together":
        return this.#together();
      case "echo of the honest":
        return this.#echo();
      case "start":
        return this.#start();
      case "open stream":
        return this.#stream();
      case "answer turn":
      case "answer activity":
        return this.#answer(move, chance.pick(this.#ofKind(move === "answer turn" ? "turn" : "activity")));
      case "answer batch":
        return this.#answer(move, chance.pick(this.#ofKind("batch")));
      case "abandon":
        return this.#abandon(chance.pick(this.#held));
      case "part of an answer":
        return this.#part(chance.pick(this.#ofKind("turn")));
      case "answer again": {
        const answers = this.#sent.filter(({ method }) => /^Complete|^Abandon/.test(method));
        return answers.length === 0 ? this.#start() : { ...chance.pick(answers), move };
      }
      case "forged token":
        return this.#forged();
      case "stale token of the honest":
        return this.#foreign(move, this.#tap.spent.at(-1 - chance.below(20)), {});
      case "token of the honest in another hub":
        return this.#foreign(move, this.#live(), { hub: "wild" });
      case "token of the honest for another instance":
        return this.#foreign(move, this.#live(), { instanceId: chance.pick(words.FUZZ_IDS) });
      case "token of the honest for the wrong kind":
        return this.#foreign(move, this.#live(), { wrongKind: true });
      case "names of the honest without a token":
        return this.#foreign(move, this.#live(), { token: "" });
      case "past of the honest": {
        const item = this.#live();
        if (item === undefined) return this.#forged();
        return this.#shot(move, "StreamInstanceHistory", [text(1, item.instanceId), flag(3)], { hub: "shared", demand: "refused" });
      }
      case "history":
        return this.#shot(move, "StreamInstanceHistory", [text(1, chance.pick(words.FUZZ_IDS)), ...(chance.happens(0.5) ? [flag(3)] : [])]);
      case "unknown method":
        return {
          ...this.#grown(move, "Hello"),
          method: chance.pick([...words.TRAPS, "hello", "", "StartInstance ", "a/b"]),
          demand: "refused",
        };
      case "no message at all":
        return { ...this.#grown(move, chance.pick(METHOD_NAMES)), bytes: new Uint8Array(0) };
    }
  }

  // ---- messages

  #lore(): Lore {
    const ids = words.FUZZ_IDS;
    const token = this.#held.at(-1)?.token;
    return {
      now: this.#now(),
      likely: {
        targetinstanceid: words.FUZZ_ENTITY_IDS,
        lockset: words.FUZZ_ENTITY_IDS,
        operation: ["add", "get", ...words.TRAPS],
        requestid: ["r1", "r2", "", ...words.TRAPS],
        criticalsectionid: ["s1", "s2", ...words.TRAPS],
        instanceidstartswith: ["Fuzz", "@fuzz-e", "@FUZZ-E@", "", "@"],
        entitystate: ["1", "0", '""', "", "null"],
        instanceid: ids,
        instanceids: ids,
        executionid: this.#executions,
        completiontoken: token === undefined ? ["t"] : [token, ...this.#held.slice(-5).map((item) => item.token)],
        version: ["", "1.0", "2.0"],
        name: [...words.FUZZ_NAMES, "go", "honest-sum"],
        input: ["1", '{"a":[1,2]}', '"text"', "null"],
        continuationtoken: this.#places,
        lastinstancekey: this.#places,
        prefix: ["f", "", "__"],
        traceparent: ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
      },
    };
  }

  #grown(move: Move, method: MethodName): Shot {
    const fields = grow(METHODS[method].request, this.#chance, this.#lore());
    const isOfEntity = method === "SignalEntity" || method === "GetEntity";
    if (!isOfEntity || this.#chance.happens(0.2)) return this.#shot(move, method, fields);
    const id = text(1, this.#chance.pick(words.FUZZ_ENTITY_IDS));
    return this.#shot(move, method, [id, ...fields.filter(({ number }) => number !== 1)]);
  }

  /** A signal that means well, or nearly. */
  #signal(): Shot {
    const chance = this.#chance;
    const fields = grow(METHODS.SignalEntity.request, chance, this.#lore());
    const rest = fields.filter(({ number }) => number > 5 || (number > 2 && chance.happens(0.7)));
    const own = [text(1, chance.pick(words.FUZZ_ENTITY_IDS)), text(2, chance.pick(["add", "get", "delete"]))];
    return this.#shot("signal", "SignalEntity", [...own, ...rest], { damaged: 0.2 });
  }

  #shot(
    move: Move,
    method: MethodName,
    fields: Field[],
    { hub, demand, token, damaged = 0.4 }: { hub?: string; demand?: Demand; token?: string; damaged?: number } = {},
  ): Shot {
    const chance = this.#chance;
    const roll = chance.below(100);
    const caller = demand !== undefined || roll < 94 ? "attacker" : roll < 97 ? "viewer" : chance.pick(["stranger", "nobody"] as const);
    const usual = hub ?? (chance.happens(0.5) ? "wild" : "shared");
    const where = hub === undefined && chance.happens(0.02) ? chance.pick([undefined, ...words.TRAPS, "Wild", "none"]) : usual;
    const harmed =
      demand === undefined && chance.happens(damaged) ? mutate(fields, chance, this.#lore()) : { bytes: write(fields), with: [] };
    return {
      move,
      method,
      hub: where,
      caller,
      ours: chance.happens(0.5),
      bytes: harmed.bytes,
      damage: harmed.with,
      demand,
      ...(token === undefined ? {} : { token }),
      timeoutMs: SLOW.has(method) ? chance.pick([1, 100, 5_000, 30_000]) : 120_000,
    };
  }

  /** To the hub `wild` alone: what they may do they do where their stream is (AT1). */
  #together(): Shot {
    const chance = this.#chance;
    const moves = [
      "call",
      "call",
      "start",
      "signal",
      "answer turn",
      "answer activity",
      "answer batch",
      "abandon",
      "unknown method",
      "history",
    ] as const;
    const calls = Array.from({ length: chance.between(1, 5) }, (_, n) => {
      const { method, bytes } = this.#of(chance.pick(moves));
      return { number: chance.happens(0.9) ? n : chance.pick([0, 4_294_967_295]), method, message: bytes };
    });
    const fields = read(writeCalls(calls), OwnCallsSchema) ?? [];
    const harmed = chance.happens(0.3) ? mutate(fields, chance, this.#lore()) : { bytes: write(fields), with: [] };
    return {
      move: "calls together",
      method: OWN_CALLS,
      hub: "wild",
      caller: chance.happens(0.95) ? "attacker" : chance.pick(["viewer", "stranger", "nobody"] as const),
      ours: chance.happens(0.9),
      bytes: harmed.bytes,
      damage: harmed.with,
      demand: undefined,
      timeoutMs: 30_000,
    };
  }

  #echo(): Shot {
    const known = this.#tap.requests;
    if (known.length === 0) return this.#start();
    const { method, bytes } = this.#chance.pick(known);
    const fields = read(bytes, METHODS[method].request);
    // What the honest one said of its own instances stays its own: ids and tokens are others.
    const strange = fields === undefined ? [] : withOtherIds(fields, this.#chance);
    return this.#shot("echo of the honest", method, strange, { hub: "wild", damaged: 0.8 });
  }

  #start(): Shot {
    const chance = this.#chance;
    const fields = grow(METHODS.StartInstance.request, chance, this.#lore());
    const id = text(1, chance.happens(0.7) ? `f${chance.below(3_000)}` : chance.pick(words.FUZZ_IDS));
    const name = text(2, chance.pick(words.FUZZ_NAMES));
    return this.#shot("start", "StartInstance", [id, name, ...fields.filter((each) => each.number > 2)], { damaged: 0.25 });
  }

  #stream(): Shot {
    const chance = this.#chance;
    if (chance.happens(0.2)) return this.#grown("open stream", "GetWorkItems");
    const entry = (name: string): Field => message(1, [text(1, name)]);
    const filters = message(11, [
      ...words.FUZZ_NAMES.map(entry),
      ...words.FUZZ_NAMES.map((name) => ({ ...entry(name), number: 2 })),
      ...words.FUZZ_ENTITIES.map((name) => ({ ...entry(name), number: 3 })),
    ]);
    const rest = grow(METHODS.GetWorkItems.request, chance, this.#lore()).filter((each) => each.number < 11);
    return this.#shot("open stream", "GetWorkItems", [...rest, filters], { damaged: 0.1 });
  }

  #ofKind(kind: SeenItem["kind"]): readonly (Held | undefined)[] {
    const some = this.#held.filter((item) => item.kind === kind);
    return some.length === 0 ? [undefined] : some.slice(-30);
  }

  #answer(move: Move, item: Held | undefined, more: readonly Field[] = []): Shot {
    if (item === undefined) return this.#start();
    const chance = this.#chance;
    // Most are answered once; what is left is answered again some day.
    if (chance.happens(0.8)) this.#held.splice(this.#held.indexOf(item), 1);
    const where = { hub: chance.happens(0.98) ? item.hub : "wild", damaged: 0.3 };
    const names = chance.happens(0.9);
    if (item.kind === "turn") {
      const grownFields = grow(METHODS.CompleteOrchestratorTask.request, chance, this.#lore());
      const kept = grownFields.filter(({ number }) => number !== 1 && number !== 4 && (number < 7 || number > 9 || chance.happens(0.1)));
      const own = [...(names ? [text(1, item.instanceId)] : []), text(4, item.token)];
      if (chance.happens(0.5))
        return this.#shot(move, "CompleteOrchestratorTask", [...own, ...this.#plainActions(), ...more], { ...where, damaged: 0.1 });
      return this.#shot(move, "CompleteOrchestratorTask", [...own, ...kept, ...more], where);
    }
    if (item.kind === "batch") {
      const grownFields = grow(METHODS.CompleteEntityTask.request, chance, this.#lore());
      const own = [text(5, item.token)];
      if (chance.happens(0.6)) {
        const results = Array.from({ length: chance.happens(0.8) ? item.taskId : chance.below(item.taskId + 2) }, () => this.#result());
        const state = chance.happens(0.8) ? [message(3, [text(1, chance.pick(["1", "[]", '""']))])] : [];
        const actions = chance.happens(0.5) ? [this.#operationAction()] : [];
        return this.#shot(move, "CompleteEntityTask", [...results, ...actions, ...state, ...own], { ...where, damaged: 0.1 });
      }
      return this.#shot(move, "CompleteEntityTask", [...grownFields.filter(({ number }) => number !== 5), ...own], where);
    }
    const grownFields = grow(METHODS.CompleteActivityTask.request, chance, this.#lore());
    const kept = grownFields.filter(({ number }) => number === 3 || number === 4);
    const own = [...(names ? [text(1, item.instanceId), whole(2, item.taskId)] : []), text(5, item.token)];
    return this.#shot(move, "CompleteActivityTask", [...own, ...kept, ...more], where);
  }

  #result(): Field {
    return this.#chance.happens(0.8)
      ? message(1, [message(1, [message(1, [text(1, "1")])])])
      : message(1, [message(2, [message(1, [text(1, "Error"), text(2, "no")])])]);
  }

  #operationAction(): Field {
    const chance = this.#chance;
    const input = message(3, [text(1, "1")]);
    return chance.happens(0.5)
      ? message(2, [message(2, [text(1, chance.pick(words.FUZZ_ENTITY_IDS)), text(2, "add"), input])])
      : message(2, [message(3, [text(1, chance.pick([...words.FUZZ_IDS, ""])), text(2, chance.pick(words.FUZZ_NAMES))])]);
  }

  /** What a worker asks for that means well: so that there is more than first turns. */
  #plainActions(): Field[] {
    const chance = this.#chance;
    const soon = message(1, [whole(1, Math.floor(this.#now() / 1_000) + chance.below(20))]);
    const input = message(3, [text(1, "1")]);
    const entity = (number: number): Field => message(number, [text(1, chance.pick(words.FUZZ_ENTITY_IDS))]);
    const entityInstance = (): Field => message(1, [text(1, chance.pick(words.FUZZ_ENTITY_IDS))]);
    const older = (): Field => {
      const said = { op: "add", id: `r${chance.below(50)}`, signal: chance.happens(0.3), input: "1" };
      const lock = { op: null, id: `s${chance.below(3)}`, lockset: [{ name: "fuzz-e", key: "a" }, chance.pick(words.FUZZ_ENTITY_IDS)] };
      return message(3, [text(1, JSON.stringify(chance.happens(0.6) ? said : lock))]);
    };
    const locked = (): Field => text(2, chance.pick(words.FUZZ_ENTITY_IDS));
    const known: readonly (() => Field)[] = [
      () => message(2, [text(1, chance.pick(words.FUZZ_NAMES)), input]),
      () => message(2, [text(1, chance.pick(words.FUZZ_NAMES)), input]),
      () => message(3, [text(2, chance.pick(words.FUZZ_NAMES)), { ...input, number: 4 }]),
      () => message(4, [soon]),
      () => message(5, [message(1, [text(1, chance.pick(words.FUZZ_IDS))]), text(2, "go"), input]),
      () => message(6, [whole(1, chance.pick([1, 1, 2, 3, 5])), { ...input, number: 2 }]),
      () => message(7, [text(1, chance.pick(words.FUZZ_IDS)), whole(3, chance.below(2))]),
      () => message(8, [message(1, [text(1, `r${chance.below(50)}`), text(2, "add"), entity(5)])]),
      () => message(8, [message(2, [text(1, `r${chance.below(50)}`), text(2, "get"), entity(7)])]),
      () => message(8, [message(3, [text(1, `s${chance.below(3)}`), locked(), locked()])]),
      () => message(8, [message(4, [text(1, `s${chance.below(3)}`), entity(3)])]),
      () =>
        message(5, [entityInstance(), text(2, chance.pick(["op", "op", "release", "op@2030-01-01T00:00:00.0000001Z", "op@"])), older()]),
    ];
    const count = chance.pick([0, 1, 1, 2, 3, 6]);
    return Array.from({ length: count }, (_, id) =>
      message(2, [whole(1, chance.happens(0.9) ? id + chance.below(3) : -1), chance.pick(known)()]),
    );
  }

  #part(item: Held | undefined): Shot {
    if (item === undefined) return this.#start();
    const chance = this.#chance;
    const index = message(9, [whole(1, chance.pick([0, 0, 1, 2, 3, -1, 1_000_000]))]);
    const part = [...(chance.happens(0.8) ? [flag(8)] : []), ...(chance.happens(0.8) ? [index] : [])];
    return this.#answer("part of an answer", item, part);
  }

  #abandon(item: Held | undefined): Shot {
    if (item === undefined) return this.#start();
    const method = ABANDONS[item.kind];
    return this.#shot("abandon", method, [text(1, item.token)], { hub: item.hub, damaged: 0.2 });
  }

  // ---- what must be refused

  #live(): SeenItem | undefined {
    const live = [...this.#tap.live.values()];
    return live.length === 0 ? undefined : this.#chance.pick(live);
  }

  #forged(): Shot {
    const chance = this.#chance;
    const model = this.#live()?.token ?? "0123456789abcdef0123456789abcdef";
    const token = chance.pick([
      Array.from({ length: 32 }, () => chance.below(16).toString(16)).join(""),
      model.slice(0, -1),
      `${model}0`,
      `${model}\0`,
      ` ${model}`,
      model.toUpperCase() === model ? "x" : model.toUpperCase(),
      chance.pick(words.TRAPS),
      "x".repeat(100_000),
    ]);
    const item = this.#live();
    const target = item ?? { kind: chance.pick(["turn", "activity"] as const), token, instanceId: "f1", executionId: "", taskId: 1 };
    return this.#completion("forged token", { ...target, token }, {}, "refused");
  }

  #foreign(
    move: Move,
    item: SeenItem | undefined,
    change: { hub?: string; instanceId?: string; token?: string; wrongKind?: boolean },
  ): Shot {
    if (item === undefined) return this.#forged();
    const demand = move === "stale token of the honest" ? undefined : change.token === "" ? "refused" : "refused while live";
    return this.#completion(move, item, change, demand);
  }

  #completion(
    move: Move,
    item: SeenItem,
    {
      hub = "shared",
      instanceId = item.instanceId,
      token = item.token,
      wrongKind = false,
    }: { hub?: string; instanceId?: string; token?: string; wrongKind?: boolean },
    demand: Demand,
  ): Shot {
    if (wrongKind && item.kind !== "batch" && this.#chance.happens(0.4)) {
      const fields = [this.#result(), message(3, [text(1, '"bogus"')]), text(5, token)];
      return this.#shot(move, "CompleteEntityTask", fields, { hub, demand, token: item.token, damaged: 0 });
    }
    const asTurn = (item.kind === "turn") !== wrongKind;
    const bogus = text(3, '"bogus"');
    const completed = message(2, [whole(1, 1), message(6, [whole(1, 1), message(2, [text(1, '"bogus"')])])]);
    const fields = asTurn
      ? [text(1, instanceId), completed, text(4, token)]
      : [text(1, instanceId), whole(2, item.taskId), message(3, [{ ...bogus, number: 1 }]), text(5, token)];
    const method = asTurn ? "CompleteOrchestratorTask" : "CompleteActivityTask";
    return this.#shot(move, method, fields, { hub, demand, token: item.token, damaged: 0 });
  }

  // ---- AT1

  #safe(shot: Shot): Shot {
    if (shot.hub !== "shared" || shot.demand !== undefined) return shot;
    if (WIDE.has(shot.method)) return { ...shot, hub: "wild" };
    return shot.method === "GetWorkItems" && takesFromTheHonest(shot.bytes) ? { ...shot, hub: "wild" } : shot;
  }
}

/** Whether a stream that is asked for so would be handed the honest one's work. */
function takesFromTheHonest(bytes: Uint8Array): boolean {
  try {
    const { workItemFilters: filters, own } = readRequest("GetWorkItems", bytes);
    if (filters === undefined || own?.anyOrchestrator === true || own?.anyActivity === true || own?.anyEntity === true) return true;
    return [...filters.orchestrations, ...filters.activities, ...filters.entities].some(
      ({ name }) => OF_THE_HONEST.has(name) || OF_THE_HONEST.has(name.toLowerCase()),
    );
  } catch {
    return false;
  }
}

/** Texts that look like ids and tokens are replaced by some of the attacker's. */
function withOtherIds(fields: readonly Field[], chance: Chance): Field[] {
  const decoder = new TextDecoder();
  return fields.map((field): Field => {
    const { content } = field;
    if (content.kind === "message") return { ...field, content: { kind: "message", fields: withOtherIds(content.fields, chance) } };
    if (content.kind !== "bytes" || !/[0-9a-f]{32}/.test(decoder.decode(content.bytes))) return field;
    return { ...field, content: { kind: "bytes", bytes: encoder.encode(chance.pick(words.FUZZ_IDS)) } };
  });
}

// ---- fields by hand

function text(number: number, value: string): Field {
  return { number, content: { kind: "bytes", bytes: encoder.encode(value) } };
}

function whole(number: number, value: number): Field {
  return { number, content: { kind: "varint", value: BigInt(value) } };
}

function flag(number: number): Field {
  return { number, content: { kind: "varint", value: 1n } };
}

function message(number: number, fields: Field[]): Field {
  return { number, content: { kind: "message", fields } };
}
