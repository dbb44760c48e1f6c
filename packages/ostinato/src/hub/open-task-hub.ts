// open-task-hub: a URL becomes a hub.
//
// Owns:    which body of the Backend stands behind which scheme, and the defaults of a hub.
// Always:  a body is imported when its scheme is used, and not before.

import { createLocalBackend } from "../local/local-backend.ts";
import type { Backend } from "../contract/backend.ts";
import { InvalidArgumentError } from "../contract/errors.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import { checkOptions, checkWord, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import { retentionPolicy, type Retention, type RetentionPolicy } from "../contract/retention.ts";
import { defaultConverter, type PayloadConverter } from "../authoring/payload.ts";
import { holdProcess, systemClock } from "../platform/clock.ts";
import { createLogger, loggerOptionsOf, type Logger, type LoggerOptions } from "../platform/logger.ts";
import { systemRandom } from "../platform/random.ts";
import { environmentVariable, processorCount } from "../platform/surroundings.ts";
import type { Observer } from "../telemetry/observer.ts";
import { withTelemetry } from "../telemetry/traced-backend.ts";
import { DEFAULT_LIMITS } from "../worker/begin-program.ts";
import { withCodec, type PayloadCodec } from "./codec.ts";
import { createHub, type Hub, type HubParts } from "./hub.ts";
import { parseHubUrl, type HubAddress } from "./hub-url.ts";
import { POSTGRES_LEASE_MS, postgresStore, type PostgresOptions } from "./postgres-hub.ts";
import { checkRemoteOptions, openRemoteBackend, type RemoteOptions } from "./remote-hub.ts";

/** Limits on what a task hub takes. */
export interface HubLimits {
  /** Bytes (UTF-8) of one input, output or event; 4 MiB by default. */
  readonly payloadBytes?: number;
  /** Bytes of a custom status; 16 KiB by default. */
  readonly customStatusBytes?: number;
  /** Actions that one turn may ask for; 100,000 by default. */
  readonly actionsPerTurn?: number;
  /** An instance or activity that was claimed this often without a result is set aside; 10 by default. */
  readonly maxClaims?: number;
}

/** How a task hub is opened. */
export interface HubOptions {
  /** The version of instances that are started without one. */
  readonly defaultVersion?: string;
  /** In place of the default way from values to text: synchronous, the same on all machines. */
  readonly converter?: PayloadConverter;
  /** Changes payload text on its way in and out, for encryption or compression. */
  readonly codec?: PayloadCodec;
  readonly limits?: HubLimits;
  /** Where log lines go, in which form, and from which level on; warnings and errors go to standard error by default. See also `OSTINATO_LOG`. */
  readonly log?: LoggerOptions | Logger;
  /** Opens the hub to look only, beside the processes that work on it: operations that write are refused. */
  readonly readOnly?: boolean;
  /** Where an SQLite hub waits for the disk: in this thread (`"inline"`), on one of its own (`"thread"`), or wherever is better at the moment (`"auto"`, the default). */
  readonly sqliteBody?: "auto" | "inline" | "thread";
  /** How long finished instances stay after their completion; 30 days by default, `0` for ever. They are removed where a worker runs. */
  readonly retention?: Retention;
  /** Watches the hub, for traces and metrics: `openTelemetry()` of `ostinato/opentelemetry`. What it does can never change a run. */
  readonly telemetry?: Observer;
  /** What becomes of work for names that no worker here has: it waits for one that does (the default), or fails at once. */
  readonly unregistered?: "wait" | "fail";
  /** How a remote task hub (`"grpc://..."`) is reached. */
  readonly remote?: RemoteOptions;
  /** How a task hub in PostgreSQL (`"postgres://..."`) is reached. */
  readonly postgres?: PostgresOptions;
}

const LIMITS: OptionNames<HubLimits> = { payloadBytes: true, customStatusBytes: true, actionsPerTurn: true, maxClaims: true };
const LOG: OptionNames<LoggerOptions> = { level: true, format: true, sink: true };
const OPTIONS: OptionNames<HubOptions> = {
  defaultVersion: true,
  converter: true,
  codec: true,
  limits: true,
  log: true,
  readOnly: true,
  sqliteBody: true,
  retention: true,
  telemetry: true,
  unregistered: true,
  remote: true,
  postgres: true,
};

/**
 * Opens a task hub.
 *
 * @param url `"sqlite:orders.db"` (a file, made when it is not there),
 *   `"postgres://host/database?hub=orders&schema=ostinato"` (with the package `pg`; the schema is made when it is not there), `"memory:"`, `"grpc://localhost:4001"` or a connection string (any server of the
 *   Durable Task protocol, with the package `@ostinato/grpc`); by default the environment variable `OSTINATO_URL`.
 * @throws InvalidArgumentError, UnsupportedError for the URL; FileLockedError when another process holds the file; StoreUnavailableError when the
 *   database cannot be reached; StoreFormatError when its schema is of another format, and AccessDeniedError when it may not be used, with what to do.
 * @example
 * const hub = await openTaskHub("sqlite:orders.db", { defaultVersion: "2.0.0" });
 */
export async function openTaskHub(url?: string, options: HubOptions = {}): Promise<Hub> {
  checkOptions(options, OPTIONS, "openTaskHub");
  checkWord(options.sqliteBody, ["auto", "inline", "thread"], "sqliteBody");
  checkWord(options.unregistered, ["wait", "fail"], "unregistered");
  const address = parseHubUrl(url ?? environmentVariable("OSTINATO_URL"));
  const log = loggerOf(options.log);
  const limits = limitsOf(options.limits);
  const ends: { tell?: ((record: InstanceRecord) => void) | undefined } = {};
  const local = await openBackend(address, log, options, retentionPolicy(options.retention), (record) => ends.tell?.(record));
  const { codec, telemetry } = options;
  // Beneath the codec: an observer never sees a payload that was meant to be secret.
  const watched = telemetry === undefined ? undefined : withTelemetry(local, telemetry, { monotonic: () => systemClock.monotonic(), log });
  ends.tell = watched?.ended;
  const backend = watched ?? local;
  return createHub({
    ...hubParts(codec === undefined ? backend : withCodec(backend, codec), log, limits, options),
    within: watched?.within,
  });
}

function hubParts(backend: Backend, log: Logger, limits: HubParts["limits"], options: HubOptions): HubParts {
  return {
    backend,
    converter: options.converter ?? defaultConverter,
    limits,
    clock: systemClock,
    random: systemRandom,
    log,
    processors: processorCount(),
    hold: holdProcess,
    readOnly: options.readOnly ?? false,
    ...given({ defaultVersion: options.defaultVersion }),
  };
}

type LocalAddress = Exclude<HubAddress, { readonly scheme: "remote" }>;

async function openBackend(
  address: HubAddress,
  log: Logger,
  options: HubOptions,
  retention: RetentionPolicy,
  onEnded: (record: InstanceRecord) => void,
): Promise<Backend> {
  if (address.scheme === "remote") {
    const { readOnly, sqliteBody, retention: asked, unregistered, limits, postgres } = options;
    checkRemoteOptions(options.remote, { readOnly, sqliteBody, retention: asked, unregistered, postgres, maxClaims: limits?.maxClaims });
    return openRemoteBackend(address.address, options.remote, { clock: systemClock, random: systemRandom, log });
  }
  if (options.remote !== undefined)
    throw new InvalidArgumentError(
      `The task hub is not remote (its URL begins with "${address.scheme}:"), so { remote } means nothing. Leave it out.`,
    );
  if (options.postgres !== undefined && address.scheme !== "postgres")
    throw new InvalidArgumentError(
      `The task hub is not in PostgreSQL (its URL begins with "${address.scheme}:"), so { postgres } means nothing. Leave it out.`,
    );
  return createLocalBackend({
    store: await openStore(address, log, options),
    clock: systemClock,
    random: systemRandom,
    log,
    retention,
    onEnded,
    // Who only looks is nobody's to take over from.
    ...(address.scheme === "postgres" && options.readOnly !== true ? { leaseMs: POSTGRES_LEASE_MS } : {}),
    ...given({ unregistered: options.unregistered, maxClaims: options.limits?.maxClaims }),
  });
}

async function openStore(
  address: LocalAddress,
  log: Logger,
  options: HubOptions,
): Promise<Parameters<typeof createLocalBackend>[0]["store"]> {
  switch (address.scheme) {
    case "memory": {
      const [{ createMemoryHub }, { machineClock }] = await Promise.all([
        import("../stores/memory/memory-store.ts"),
        import("../stores/store-clock.ts"),
      ]);
      return createMemoryHub({ clock: machineClock() }).connect();
    }
    case "sqlite": {
      const { openSqliteStore } = await import("../stores/sqlite/sqlite-store.ts");
      const store = openSqliteStore({
        path: address.path,
        ...given({ hub: address.hub, readOnly: options.readOnly, body: options.sqliteBody }),
      });
      // Who only looks takes no work.
      return options.readOnly === true ? { ...store, claim: async () => ({ at: 0, instances: [], activities: [] }) } : store;
    }
    case "postgres":
      return postgresStore(address, options.postgres, { log, readOnly: options.readOnly });
  }
}

function loggerOf(log: HubOptions["log"]): Logger {
  if (log !== undefined && "warn" in log) return log;
  checkOptions(log, LOG, "log");
  checkWord(log?.level, ["debug", "info", "warn", "error", "silent"], "log.level");
  checkWord(log?.format, ["text", "json"], "log.format");
  return createLogger({ ...loggerOptionsOf(environmentVariable("OSTINATO_LOG")), ...log });
}

/** The limits of a hub: those given, else the defaults. */
export function limitsOf(limits: HubLimits = {}): HubParts["limits"] {
  checkOptions(limits, LIMITS, "limits");
  for (const [name, limit] of Object.entries(limits)) {
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw new InvalidArgumentError(`limits.${name} must be a whole number of at least 1; got ${String(limit)}.`);
  }
  const { payloadBytes, customStatusBytes, actionsPerTurn } = limits;
  return { ...DEFAULT_LIMITS, ...given({ payloadBytes, customStatusBytes, actionsPerTurn }) };
}
