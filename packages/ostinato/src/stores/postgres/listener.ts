// listener: how a process hears what the others tell.
//
// Owns:    the one connection that listens, and the looks that stand in for it while there is none.
// Is told: notices, by the database. What looks of others have found, so that its own come sooner, or not at all.
// Tells:   each notice; that everything is to be looked at; that it hears, and that it does not.
// Always:  S5 a notice can be lost (G6): after each time without a connection everything is looked at.
//          LI1 it hears only what it has proved to hear: a notice that it sends to itself over another connection comes back.
//             Behind a pooler that gives each transaction another connection it does not; then it says so once, and looks now and then.
//          LI2 a connection that died is made anew after a delay that grows and is spread by chance: no storm when a server comes back.
//          LI3 idle costs less than a statement a minute while it hears, one in eleven seconds while it does not.

import type { Clock, ClockTimer } from "../../platform/clock.ts";
import { jittered, type Random } from "../../platform/random.ts";
import { sqlState } from "./database.ts";
import { quotedName } from "./names.ts";
import type { OwnConnection } from "./own-connection.ts";

/** What is looked at: all that notices could have told, or whether there is work. */
export type Look = "all" | "work";

/** What a line for people is written to. */
export interface ListenerLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What looks now and then are made with. */
export interface LooksOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly onLook: (what: Look) => void;
  /** How rare looks become while nothing is found. */
  readonly longestLookMs?: number;
}

/** What a listener is given. */
export interface ListenerOptions extends LooksOptions {
  readonly channel: string;
  /** Opens the connection: each time another one. */
  readonly connect: () => Promise<OwnConnection>;
  /** Sends a notice over any other connection than that. */
  readonly notify: (channel: string, payload: string) => Promise<void>;
  readonly log: ListenerLog;
  readonly onNotice: (payload: string) => void;
  readonly onUp?: () => void;
  readonly onDown?: () => void;
}

/** Somebody who hears, or looks now and then. */
export interface Listener {
  /** Whether notices arrive now. */
  readonly hears: boolean;
  /** Somebody has looked for work. While looks stand in for notices: where it found something the next ones come soon, else this was one of them. */
  looked(found: boolean): void;
  close(): void;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;
/** A line on which nothing came for so long is asked whether it is there. */
const ALIVE_MS = 60_000;
/** A server answers within this, or is taken for gone. */
const ANSWER_MS = 5_000;
/** A notice to oneself comes back within this, or never. */
const ECHO_MS = 3_000;
/** So many connections in a row must be deaf before none is tried any more. */
const DEAF_TRIES = 2;
const FIRST_LOOK_MS = 100;
/** With a renewal every ten seconds this stays below one statement in five. */
const LONGEST_LOOK_MS = 11_000;

/** Looks now and then, for whoever does not listen. */
export function lookNowAndThen(options: LooksOptions): Listener {
  const looks = createLooks(options);
  looks.start();
  return { hears: false, looked: looks.looked, close: looks.stop };
}

/** Listens from now on; looks now and then for as long as it does not hear. */
export function startListener(options: ListenerOptions): Listener {
  const { channel, connect, notify, clock, random, log, onNotice, onLook } = options;
  const looks = createLooks(options);
  /** A channel of its own for the proof, so that nobody else is woken by it. */
  const echo = `${channel}_${random.id().slice(0, 16)}`;
  let hears = false;
  let closed = false;
  let line: OwnConnection | undefined;
  let endPause = (): void => undefined;

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = clock.setTimer(ms, resolve);
      endPause = () => (timer.cancel(), resolve());
    });

  /** One connection, from its beginning to its end. Resolves with what was wrong with it. */
  const listen = async (onHearing: () => void): Promise<"lost" | "deaf"> => {
    const current = (line = await connect());
    if (closed) return "lost";
    const lost = new Promise<"lost">((resolve) => {
      current.onLost(() => resolve("lost"));
      endPause = () => resolve("lost");
    });
    let heardAt = clock.monotonic();
    let heardEcho: (said: string) => void = () => undefined;
    current.onNotice((on, payload) => {
      heardAt = clock.monotonic();
      if (on === channel) onNotice(payload);
      else if (on === echo) heardEcho(payload);
    });
    const listening = current.query(`listen ${quotedName(echo)}; listen ${quotedName(channel)}`);
    if ((await inTime(clock, listening, ANSWER_MS)) === undefined) return "lost";
    // From here on nothing is missed, if it hears: what was told before is looked for.
    onLook("all");
    const isOver = (): boolean => line !== current;
    const proof = await Promise.race([lost, hearsItself(notify, echo, random.id(), clock, (run) => (heardEcho = run), isOver)]);
    if (proof !== true) return proof === false ? "deaf" : "lost";
    onHearing();
    heardAt = clock.monotonic();
    for (;;) {
      const quietMs = clock.monotonic() - heardAt;
      const timer = waitFor(clock, Math.max(ALIVE_MS - quietMs, 1));
      const end = await Promise.race([lost, timer.over]);
      timer.cancel();
      if (end === "lost" || closed) return "lost";
      if (clock.monotonic() - heardAt < ALIVE_MS) continue;
      if ((await inTime(clock, current.query("select 1"), ANSWER_MS)) === undefined) return "lost";
      heardAt = clock.monotonic();
    }
  };

  const listenOn = async (): Promise<void> => {
    let failures = 0;
    let deaf = 0;
    let isTold = false;
    while (!closed) {
      let end: "lost" | "deaf" = "lost";
      let reason: unknown;
      try {
        end = await listen(() => {
          hears = true;
          failures = 0;
          deaf = 0;
          looks.stop();
          if (isTold) log.info("this process hears of work again");
          isTold = false;
          options.onUp?.();
        });
      } catch (error) {
        reason = error;
        // 0A: a pooler that says itself that nobody can listen through it.
        if (sqlState(error)?.startsWith("0A")) end = "deaf";
      }
      line?.close();
      line = undefined;
      if (closed) return;
      looks.start();
      if (hears) options.onDown?.();
      hears = false;
      if (end === "deaf" && (++deaf >= DEAF_TRIES || reason !== undefined)) return tellThatItLooks(log);
      if (end === "lost" && !isTold) {
        isTold = true;
        const fields = reason === undefined ? {} : { error: reason };
        log.warn("this process does not hear of work now: it looks for it, and tries to listen again", fields);
      }
      await pause(jittered(random, Math.min(FIRST_RETRY_MS * 2 ** failures++, LONGEST_RETRY_MS)));
    }
  };

  looks.start();
  void listenOn();
  return {
    get hears() {
      return hears;
    },
    looked: looks.looked,
    close() {
      closed = true;
      hears = false;
      looks.stop();
      endPause();
      line?.close();
      line = undefined;
    },
  };
}

function tellThatItLooks(log: ListenerLog): void {
  log.warn(
    "notices of PostgreSQL do not arrive here (a pooler that gives each transaction another connection, it seems): this process looks for work now and then instead. Give it a connection of its own to the server, or say { listen: false }",
  );
}

/** Whether a notice to oneself, sent over another connection, comes back. That it cannot be sent proves nothing: it is tried again. */
async function hearsItself(
  notify: ListenerOptions["notify"],
  echo: string,
  word: string,
  clock: Clock,
  onEcho: (run: (said: string) => void) => void,
  isOver: () => boolean,
): Promise<boolean> {
  const heard = new Promise<true>((resolve) => onEcho((said) => void (said === word && resolve(true))));
  for (let retryMs = FIRST_RETRY_MS; !isOver(); retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
    const sent = await notify(echo, word).then(
      () => true,
      () => false,
    );
    const timer = waitFor(clock, sent ? ECHO_MS : retryMs);
    const answer = await Promise.race([heard, timer.over]);
    timer.cancel();
    if (answer === true) return true;
    if (sent) return false;
  }
  return false;
}

function waitFor(clock: Clock, ms: number): { readonly over: Promise<undefined>; readonly cancel: () => void } {
  let timer: ClockTimer | undefined;
  const over = new Promise<undefined>((resolve) => (timer = clock.setTimer(ms, () => resolve(undefined))));
  return { over, cancel: () => timer?.cancel() };
}

/** What a question comes to; `undefined` when it has no answer in time. */
async function inTime<T>(clock: Clock, question: Promise<T>, ms: number): Promise<{ readonly answer: T } | undefined> {
  const timer = waitFor(clock, ms);
  try {
    return await Promise.race([question.then((answer) => ({ answer })), timer.over]);
  } finally {
    timer.cancel();
  }
}

/** Looks that become rarer while they find nothing. */
function createLooks({ clock, random, onLook, longestLookMs = LONGEST_LOOK_MS }: LooksOptions): {
  readonly start: () => void;
  readonly looked: (found: boolean) => void;
  readonly stop: () => void;
} {
  let timer: ClockTimer | undefined;
  let lookMs = FIRST_LOOK_MS;
  const next = (): void => {
    timer = clock.setTimer(jittered(random, lookMs * 2), () => {
      lookMs = Math.min(lookMs * 2, longestLookMs);
      next();
      onLook("work");
    });
  };
  const start = (): void => {
    if (timer !== undefined) return;
    lookMs = FIRST_LOOK_MS;
    next();
  };
  const stop = (): void => {
    timer?.cancel();
    timer = undefined;
  };
  return {
    start,
    stop,
    looked(found) {
      if (timer === undefined || lookMs === FIRST_LOOK_MS) return;
      stop();
      if (found) start();
      else next();
    },
  };
}
