// seat: a place for one process at a time. Whoever ends is followed by another, under the next name, on the same line to the server.
//
// Owns:    the lives of a seat, one after the other; its line; by how much its clock is wrong.
import { setTimeout as sleep } from "node:timers/promises";
import type { Note } from "./journal.ts";
import { startTcpProxy, type TcpProxy } from "../../scripts/tcp-proxy.ts";
import type { Counted, MemberOptions } from "./member.ts";
import { startMember, type Member } from "./member-process.ts";

export interface Seat {
  readonly name: string;
  readonly line: TcpProxy;
  /** Who sits there. */
  readonly member: Member;
  readonly lives: number;
  /** Not to be killed before: it is to show what it does after something else befell it. */
  spareUntil: number;
  /** What all that have sat here had counted when they were last heard of. */
  counted(): readonly Counted[];
  /** What they logged. */
  said(): readonly string[];
  /** From now on nobody follows. */
  leave(): void;
}

/** What all seats of a storm have in common. */
export interface Seats {
  /** The server's own port, and the address with another port in its place. */
  readonly port: number;
  readonly urlOn: (port: number) => string;
  readonly folder: string;
  readonly compileCache: string;
  readonly leaseMs: number;
  readonly seed: number;
  readonly programs?: MemberOptions["programs"];
  /** The driver's journal, which says who has died. */
  readonly note: (by: string) => Note;
  /** Ended without having been killed or asked. */
  readonly endedByItself: (label: string, how: string, said: readonly string[]) => void;
}

const FOLLOW_MS = 50;

/** Seats a process. */
export async function takeSeat(name: string, isWorker: boolean, shiftMs: number, all: Seats): Promise<Seat> {
  const line = await startTcpProxy(all.port);
  const before: Counted[] = [];
  const saidBefore: string[] = [];
  let lives = 0;
  let isLeft = false;
  const begin = (): Member => {
    const label = `${name}.${++lives}`;
    const { folder, leaseMs, seed, programs, compileCache } = all;
    const options: MemberOptions = {
      url: all.urlOn(line.port),
      label,
      folder,
      leaseMs,
      isWorker,
      seed,
      ...(programs === undefined ? {} : { programs }),
    };
    const next = startMember(options, shiftMs, compileCache);
    void follow(next);
    return next;
  };
  const follow = async (last: Member): Promise<void> => {
    const how = await last.ended;
    all.note(last.label)({ kind: "died" });
    before.push(last.counted);
    saidBefore.push(...last.said.map((line) => `${last.label} ${line}`));
    if (isLeft) return;
    if (how !== "SIGKILL") all.endedByItself(last.label, how, last.said);
    await sleep(FOLLOW_MS);
    if (!isLeft) member = begin();
  };
  let member = begin();
  return {
    name,
    line,
    get member() {
      return member;
    },
    get lives() {
      return lives;
    },
    spareUntil: 0,
    counted: () => (member.isGone ? before : [...before, member.counted]),
    said: () => [...saidBefore, ...(member.isGone ? [] : member.said.map((line) => `${member.label} ${line}`))],
    leave() {
      isLeft = true;
    },
  };
}
