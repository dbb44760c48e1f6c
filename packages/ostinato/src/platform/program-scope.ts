// program-scope: whose code is running, and whose rejection nobody handled.
//
// Owns:    the async context in which orchestrators run, and the process's one `unhandledRejection` listener.
// Always:  P1 a rejection that belongs to a program is told to that program and ends no process.
//          P2 every other rejection does what it would have done without us.
//          P3 without a running worker there is no listener.
//
// The platform calls the listener in the context in which the promise was rejected (or, in older versions, made); for the promises of a
// program both are the program's own.

import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";

/** A program as this room sees it: somebody to tell of a rejection. */
export interface ScopedProgram {
  reportUnhandled(reason: unknown): void;
}

const programs = new AsyncLocalStorage<ScopedProgram>();
let watchers = 0;

/** Runs a function in an async context, and gives what it gives. */
export type Scope = <T>(run: () => T) => T;

/**
 * A scope to run a program's code in, so that its rejections can be told from others'. It is made once for each program: entering it then
 * costs a fraction of what entering an AsyncLocalStorage does.
 *
 * @example
 * const enter = programScope(execution);
 * enter(() => body(ctx, input));
 */
export function programScope(program: ScopedProgram): Scope {
  return programs.run(program, captureContext);
}

/**
 * The async context of this moment, to run other code in: what a caller has put into its context stays the caller's.
 *
 * @example
 * const here = captureContext();
 * here(() => deliver(items));
 */
export function captureContext(): Scope {
  const context = new AsyncResource("Ostinato");
  return (run) => context.runInAsyncScope(run);
}

/**
 * Listens for unhandled rejections of programs until the returned function is called. Many may listen; the process has one listener.
 *
 * @example
 * const stop = watchRejections();
 * stop();
 */
export function watchRejections(): () => void {
  if (watchers++ === 0) process.on("unhandledRejection", onUnhandledRejection);
  let watching = true;
  return () => {
    if (!watching) return;
    watching = false;
    if (--watchers === 0) process.off("unhandledRejection", onUnhandledRejection);
  };
}

function onUnhandledRejection(reason: unknown): void {
  const program = programs.getStore();
  if (program !== undefined) {
    program.reportUnhandled(reason);
    return;
  }
  // Somebody else listens too: it is theirs. In the modes that only warn, the platform has warned.
  if (process.listenerCount("unhandledRejection") > 1 || !rejectionsThrow()) return;
  throw asError(reason);
}

function rejectionsThrow(): boolean {
  const given = /--unhandled-rejections[= ](\S+)/.exec([process.env["NODE_OPTIONS"] ?? "", ...process.execArgv].join(" "));
  return given === null || given[1] === "throw" || given[1] === "strict";
}

/** As the platform words it. */
function asError(reason: unknown): Error {
  if (reason instanceof Error) return reason;
  const error = new Error(
    "This error originated either by throwing inside of an async function without a catch block, or by rejecting a promise which was not " +
      `handled with .catch(). The promise rejected with the reason "${String(reason)}".`,
  );
  return Object.assign(error, { name: "UnhandledPromiseRejection", code: "ERR_UNHANDLED_REJECTION" });
}
