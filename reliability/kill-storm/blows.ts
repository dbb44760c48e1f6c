// blows: what befalls processes, lines and the server, and when.
//
// Owns:    every kind of blow: how often it falls in a minute, and what it does.
// Always:  BL1 the moments come from the seed; what they hit depends on how far everybody has come.
//          BL2 whatever was held back or frozen goes on before the storm ends.
import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../simulation/chance.ts";
import type { TcpProxy } from "../../scripts/tcp-proxy.ts";
import type { Tally } from "../crash/tally.ts";
import type { Seat } from "./seat.ts";
import type { Server } from "./server.ts";

/** The kinds. */
export type Blow = "kills" | "freezes" | "cuts" | "holds" | "black-holes" | "backends-ended" | "backends-killed" | "restarts" | "clocks";

interface Target {
  readonly seats: readonly Seat[];
  readonly server: Server;
  readonly chance: Chance;
  readonly leaseMs: number;
  readonly tally: Tally;
  /** So many in a minute, in place of the usual. */
  readonly often?: Often | undefined;
}

/** How often in a minute. */
export type Often = { readonly [B in Exclude<Blow, "kills" | "clocks">]?: number };

/** The usual; kills are asked for by their number, and clocks are wrong from the start. */
const PER_MINUTE: { readonly [B in Exclude<Blow, "kills" | "clocks">]: number } = {
  freezes: 7,
  cuts: 8,
  holds: 3,
  "black-holes": 3,
  "backends-ended": 9,
  "backends-killed": 3,
  restarts: 3,
};

/** What it is called in the tally. */
export const COUNTED_AS: { readonly [B in Blow]: string } = {
  kills: "processes killed with -9",
  freezes: "processes frozen past their lease",
  cuts: "lines cut",
  holds: "lines held up",
  "black-holes": "lines that swallowed everything",
  "backends-ended": "backends ended by pg_terminate_backend",
  "backends-killed": "backends killed with -9 (the server recovers)",
  restarts: "immediate restarts of the server",
  clocks: "processes whose clock was an hour off",
};
export const KILLED_WHILE_STARTING = "of the killed, those that were starting";

export const REFUSED_TO_ZOMBIES = "commits refused to those that had been frozen, held up or swallowed";

/** One that shows what it does after what befell it: a zombie that is to be refused. */
const SPARED_MS = 1_500;

/** What each kind does. False: there was nobody to hit. */
const STRIKE: { readonly [B in Exclude<Blow, "clocks">]: (target: Target) => Promise<boolean> } = {
  async kills({ seats, chance, tally }) {
    // Mostly one that works; now and then whoever is there, on its way to the server or back from it.
    const isAnyone = chance.happens(0.01);
    const seat = aSeat(seats, chance, ({ member }) => !member.isGone && !member.isDoomed && (isAnyone || member.isReady));
    if (seat === undefined) return false;
    if (!seat.member.isReady) tally.add(KILLED_WHILE_STARTING);
    await seat.member.kill();
    return true;
  },
  freezes: (target) =>
    away(target, 1.3, 2.3, ({ member }) => {
      member.freeze();
      return () => member.thaw();
    }),
  async cuts({ seats, chance }) {
    const { line } = chance.pick(seats);
    const isOpen = line.connections() > 0;
    line.cut();
    return isOpen;
  },
  holds: (target) => away(target, 0.5, 2, ({ line }) => darken(line)),
  "black-holes": (target) =>
    away(target, 0.5, 2, ({ line }) => {
      const end = darken(line);
      line.forget();
      return end;
    }),
  "backends-ended": async ({ server }) => (await server.endBackend()) !== undefined,
  "backends-killed": async ({ server }) => await server.killBackend(),
  async restarts({ server }) {
    await server.restart();
    return true;
  },
};

/** Nothing passes until the end, and nothing is lost. */
function darken(line: TcpProxy): () => void {
  line.become("black-hole");
  return () => line.become("pass");
}

function aReadyOne(seats: readonly Seat[], chance: Chance): Seat | undefined {
  return aSeat(seats, chance, ({ member }) => member.isReady);
}

function aSeat(seats: readonly Seat[], chance: Chance, isFit: (seat: Seat) => boolean): Seat | undefined {
  const now = performance.now();
  const fit = seats.filter((seat) => !seat.member.isFrozen && seat.spareUntil < now && isFit(seat));
  return fit.length === 0 ? undefined : chance.pick(fit);
}

/** Somebody is not to be reached for so many leases, comes back, and shows what it does then. */
async function away(target: Target, least: number, most: number, begin: (seat: Seat) => () => void): Promise<boolean> {
  const { seats, chance, leaseMs, tally } = target;
  const seat = aReadyOne(seats, chance);
  if (seat === undefined) return false;
  const { member } = seat;
  const before = member.counted.answers.refused;
  seat.spareUntil = Number.POSITIVE_INFINITY;
  const end = begin(seat);
  await sleep(leaseMs * (least + (most - least) * chance.fraction()));
  end();
  await sleep(SPARED_MS);
  seat.spareUntil = 0;
  tally.add(REFUSED_TO_ZOMBIES, member.counted.answers.refused - before);
  return true;
}

const TRIES = 400;
const TRY_AGAIN_MS = 50;

/** Kinds that touch the server: one after the other, each when it answers again. */
const ON_SERVER: ReadonlySet<Blow> = new Set(["backends-ended", "backends-killed", "restarts"]);

/** Lets everything fall within so many ms. Resolves when the last has been made good. */
export async function storm(target: Target, ms: number, kills: number, without: ReadonlySet<Blow>): Promise<void> {
  const { chance, tally, seats, often: asked = {} } = target;
  const minutes = ms / 60_000;
  const blows = Object.entries({ ...PER_MINUTE, ...asked, kills: kills / minutes }).flatMap(([kind, often]) => {
    if (without.has(kind as Blow)) return [];
    return Array.from({ length: Math.round(often * minutes) }, () => ({
      kind: kind as Exclude<Blow, "clocks">,
      at: chance.fraction() * ms,
    }));
  });
  blows.sort((a, b) => a.at - b.at);
  const begun = performance.now();
  const under: Promise<void>[] = [];
  let server = Promise.resolve();
  const strike = async (kind: Exclude<Blow, "clocks">): Promise<void> => {
    // Where nobody can be hit right now somebody can soon.
    for (let tries = 0; tries < TRIES; tries++) {
      if (await STRIKE[kind](target)) return tally.add(COUNTED_AS[kind]);
      await sleep(TRY_AGAIN_MS);
    }
  };
  for (const { kind, at } of blows) {
    const wait = begun + at - performance.now();
    if (wait > 0) await sleep(wait);
    if (ON_SERVER.has(kind)) under.push((server = server.then(() => strike(kind))));
    else under.push(strike(kind));
  }
  await Promise.all(under);
  for (const { line, member } of seats) {
    line.become("pass");
    if (member.isFrozen) member.thaw();
  }
}
