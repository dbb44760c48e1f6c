// migrate: the schema of a task hub is made, brought up to date, or refused.
//
// Owns:    what a schema is found to be, and what is said of one that cannot be used; the rights that a runtime role needs.
// Is told: a connection, the schema's name, the migrations that this version knows.
// Always:  V2 connecting makes a schema where there is none and changes no other. A newer format is used as long as it says that this version can.
//          One migration is one transaction, and all that make an empty schema are one; whoever else migrates waits (an advisory lock), and finds it done.
//          A migration never queues before those who work: it gives up a lock that it does not get at once, and tries again.

import {
  AccessDeniedError,
  InvalidArgumentError,
  OstinatoError,
  StoreFormatError,
  StoreUnavailableError,
  UnsupportedError,
} from "../../contract/errors.ts";
import { given } from "../../contract/recorded-as.ts";
import { withPartsOfUrl } from "./address.ts";
import { sqlState } from "./database.ts";
import { inSchema, lockClass } from "./functions.ts";
import { checkSchemaName, DEFAULT_SCHEMA, quotedName } from "./names.ts";
import { placeName, withConnection } from "./place.ts";
import type { Connection, PostgresPlace } from "./place.ts";
import { POSTGRES_MIGRATIONS } from "./schema.ts";
import type { PostgresMigration } from "./schema.ts";

/**
 * What is migrated, and for whom.
 *
 * @example
 * const options: MigratePostgresOptions = { connectionString: "postgres://admin@db/orders", grantTo: "orders_app" };
 */
export interface MigratePostgresOptions extends PostgresPlace {
  /** The schema with the task hubs; by default what the connection string says (`?schema=`), else `"ostinato"`. It is made when it is not there. */
  readonly schema?: string | undefined;
  /** A role that shall work with the task hubs: it gets the rights for that and no others, also for what later migrations add. */
  readonly grantTo?: string | undefined;
  /** Changes nothing, and tells what it would do. */
  readonly dryRun?: boolean | undefined;
  /** Tests only: other migrations, and how long one waits for a table. */
  readonly testing?: { readonly migrations?: readonly PostgresMigration[]; readonly lockMs?: number } | undefined;
}

/**
 * What a migration has done, or would do.
 *
 * @example
 * const upToDate = (migration: PostgresMigrated) => migration.applied.length === 0;
 */
export interface PostgresMigrated {
  /** The format that was found; 0: there was none. */
  readonly from: number;
  readonly to: number;
  /** The formats that were reached one after another. */
  readonly applied: readonly number[];
  /** The statements, grants among them. */
  readonly statements: readonly string[];
}

/**
 * The format of a schema.
 *
 * @example
 * const isReadable = ({ readableBy }: PostgresFormat, ours: number) => readableBy <= ours;
 */
export interface PostgresFormat {
  readonly format: number;
  /** The oldest format whose versions can work with it. */
  readonly readableBy: number;
}

/** What is said beside a schema's name in messages, and what this version knows. */
interface Setting {
  readonly schema: string;
  readonly place: PostgresPlace;
  readonly migrations: readonly PostgresMigration[];
  readonly lockMs: number;
}

/** A migration waits so often, so long each, for a table that others work with. */
const LOCK_TRIES = 20;
const LOCK_MS = 3_000;
/** Owners have locks from 1 on. */
const MIGRATION_LOCK = 0;
const OLDEST_SERVER = 130_000;

/**
 * Brings the schema of a task hub to the format of this version; makes it where there is none. Doing it again, or twice at once, does no harm, and
 * processes of the version before go on working meanwhile and afterwards. Needs the right to create what is missing; a role that only works with
 * the hub needs what `grantTo` gives it.
 *
 * @throws AccessDeniedError without those rights; StoreFormatError for a schema that is somebody else's or too new; StoreUnavailableError.
 * @example
 * const { from, to } = await migratePostgres({ connectionString: "postgres://admin@db/orders", grantTo: "orders_app" });
 */
export async function migratePostgres(options: MigratePostgresOptions): Promise<PostgresMigrated> {
  const setting = settingOf(options);
  const { place } = setting;
  const grants = options.grantTo === undefined ? [] : postgresGrants(options.grantTo, setting.schema);
  return withConnection(place, async (connection) => {
    const found = await lookAt(connection, setting);
    const known = newestOf(setting.migrations).format;
    const from = found === undefined ? 0 : found.format;
    if (found !== undefined && found.format > known) usable(found, setting);
    if (options.dryRun === true) {
      const due = setting.migrations.filter(({ format }) => format > from);
      const statements = [...due.flatMap((one) => statementsOf(one, setting.schema)), ...grants];
      return { from, to: Math.max(from, known), applied: due.map(({ format }) => format), statements };
    }
    const done = await bringUpToDate(connection, setting);
    if (grants.length > 0) await inTransaction(connection, setting, () => grantAll(connection, grants, options.grantTo ?? ""));
    return {
      from,
      to: done.at(-1)?.format ?? from,
      applied: done.map(({ format }) => format),
      statements: [...done.flatMap((one) => statementsOf(one, setting.schema)), ...grants],
    };
  });
}

/**
 * The format of a schema; `undefined` where there is none yet.
 *
 * @throws AccessDeniedError when this role may not look; StoreFormatError for a schema that is somebody else's; StoreUnavailableError.
 * @example
 * const found = await postgresFormat({ connectionString: "postgres://db/orders" });
 */
export async function postgresFormat(
  options: PostgresPlace & { readonly schema?: string | undefined },
): Promise<PostgresFormat | undefined> {
  const setting = settingOf(options);
  return withConnection(setting.place, (connection) => lookAt(connection, setting));
}

/** How a schema is prepared for a store. */
export interface PrepareOptions {
  /** For messages. */
  readonly place?: PostgresPlace | undefined;
  /** Makes nothing. */
  readonly readOnly?: boolean | undefined;
  readonly migrations?: readonly PostgresMigration[] | undefined;
}

/**
 * What a store does before its first question: makes the schema where there is none, and refuses one that this version cannot work with.
 *
 * @throws AccessDeniedError, StoreFormatError, UnsupportedError, saying what to do.
 */
export async function prepareSchema(connection: Connection, schema: string, options: PrepareOptions = {}): Promise<PostgresFormat> {
  const setting = settingOf({ schema, ...options.place, testing: given({ migrations: options.migrations }) });
  const found = await lookAt(connection, setting);
  if (found !== undefined) return usable(found, setting);
  if (options.readOnly === true)
    throw new StoreFormatError(
      `${whereOf(setting)} has no task hub: there is no such schema, or nothing is in it. Check the address, or open it without { readOnly: true }, which makes one.`,
    );
  await bringUpToDate(connection, setting);
  return usable((await lookAt(connection, setting)) ?? { format: 0, readableBy: 0 }, setting);
}

/**
 * The statements that give a role what it needs to work with the task hubs of a schema, and nothing else: it can create and change no tables.
 * Whoever runs them should be who migrates, since what later migrations add is given by the default privileges of who makes it.
 *
 * @throws InvalidArgumentError for a name that cannot be one.
 * @example
 * for (const statement of postgresGrants("orders_app")) console.log(`${statement};`);
 */
export function postgresGrants(role: string, schema: string = DEFAULT_SCHEMA): readonly string[] {
  checkSchemaName(schema);
  const [to, within] = [quotedName(role), quotedName(schema)];
  return [
    `grant usage on schema ${within} to ${to}`,
    `grant select, insert, update, delete on all tables in schema ${within} to ${to}`,
    `grant usage on all sequences in schema ${within} to ${to}`,
    `grant execute on all functions in schema ${within} to ${to}`,
    `revoke insert, update, delete on ${within}.meta from ${to}`,
    `alter default privileges in schema ${within} grant select, insert, update, delete on tables to ${to}`,
    `alter default privileges in schema ${within} grant usage on sequences to ${to}`,
    `alter default privileges in schema ${within} grant execute on functions to ${to}`,
  ];
}

function settingOf(options: Omit<MigratePostgresOptions, "grantTo" | "dryRun">): Setting {
  const { schema = DEFAULT_SCHEMA, connectionString, pool, testing } = withPartsOfUrl(options);
  checkSchemaName(schema);
  return {
    schema,
    place: { connectionString, pool },
    migrations: testing?.migrations ?? POSTGRES_MIGRATIONS,
    lockMs: testing?.lockMs ?? LOCK_MS,
  };
}

function newestOf(migrations: readonly PostgresMigration[]): PostgresMigration {
  return migrations.at(-1) ?? { format: 0, readableBy: 0, statements: "" };
}

function whereOf({ schema, place }: Setting): string {
  return `The schema ${JSON.stringify(schema)} of ${placeName(place)}`;
}

function commandFor({ schema }: Setting, more = ""): string {
  return `\`npx @ostinato/cli migrate postgres://...${schema === DEFAULT_SCHEMA ? "" : ` --schema ${schema}`}${more}\``;
}

// -------------------------------------------------------------------------------------------------- looking

const LOOK = `
  select current_user::text as role, current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding,
    c.oid is not null as has_meta, coalesce(has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'), false) as may_read
  from (select 1) one left join pg_catalog.pg_namespace n on n.nspname = $1
  left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'meta' and c.relkind = 'r'`;

/** The format of the schema, or undefined: nothing of ours is there. */
async function lookAt(connection: Connection, setting: Setting): Promise<PostgresFormat | undefined> {
  const [row] = (await connection.query({ text: LOOK, values: [setting.schema] })).rows;
  const { role, version, encoding, has_meta: hasMeta, may_read: mayRead } = row ?? {};
  if (Number(version) < OLDEST_SERVER)
    throw new UnsupportedError(
      `${placeName(setting.place)} is of version ${Math.floor(Number(version) / 10_000)}; a task hub needs 13 or later.`,
    );
  if (encoding !== "UTF8")
    throw new UnsupportedError(
      `The database of ${placeName(setting.place)} keeps text as ${String(encoding)}; a task hub needs one that was created with encoding 'UTF8'.`,
    );
  if (hasMeta !== true) return undefined;
  if (mayRead !== true)
    throw new AccessDeniedError(
      `${whereOf(setting)} has a task hub that the role ${JSON.stringify(role)} may not use. Ask an administrator to run ${commandFor(setting, ` --grant-to ${String(role)}`)}.`,
    );
  try {
    const text = inSchema("select key, value from {schema}.meta", setting.schema);
    const { rows } = await connection.query({ text });
    const values = new Map(rows.map(({ key, value }) => [String(key), Number(value)]));
    const format = values.get("format");
    if (format !== undefined && format > 0) return { format, readableBy: values.get("readable_by") ?? format };
  } catch (error) {
    if (sqlState(error)?.startsWith("42") !== true) throw error;
  }
  throw notOurs(setting);
}

function notOurs(setting: Setting, cause?: unknown): StoreFormatError {
  return new StoreFormatError(
    `${whereOf(setting)} has tables that are no task hub's. Nothing was changed. Name another schema: ?schema=name in the URL.`,
    cause === undefined ? undefined : { cause },
  );
}

/** Refuses a format that this version cannot work with. */
function usable(found: PostgresFormat, setting: Setting): PostgresFormat {
  const known = newestOf(setting.migrations).format;
  if (found.format < known)
    throw new StoreFormatError(
      `${whereOf(setting)} has format ${found.format}, and this version of Ostinato needs format ${known}. Connecting changes no schema: run ${commandFor(setting)} first. Processes of the version before go on working with it.`,
    );
  if (found.readableBy > known)
    throw new StoreFormatError(
      `${whereOf(setting)} has format ${found.format}, made by a later version of Ostinato; this one knows format ${known}, and ${found.readableBy} is the oldest that can work with it. Use a later version.`,
    );
  return found;
}

// -------------------------------------------------------------------------------------------------- changing

const SET_META =
  "insert into {schema}.meta(key, value) values ('format', $1), ('readable_by', $2) on conflict (key) do update set value = excluded.value";

function statementsOf({ format, statements }: PostgresMigration, schema: string): string[] {
  const made = format === 1 ? [`create schema if not exists ${quotedName(schema)}`] : [];
  return [...made, inSchema(statements, schema).trim()];
}

/** Makes all the steps that are missing; answers those that it made itself. */
async function bringUpToDate(connection: Connection, setting: Setting): Promise<readonly PostgresMigration[]> {
  const done: PostgresMigration[] = [];
  for (let tries = 1; ;) {
    try {
      const steps = await inTransaction(connection, setting, () => step(connection, setting));
      if (steps.length === 0) return done;
      done.push(...steps);
    } catch (error) {
      // Somebody works with a table that is to change: they go first.
      if (sqlState(error) === "55P03" && tries++ < LOCK_TRIES) continue;
      throw refusal(error, setting);
    }
  }
}

async function step(connection: Connection, setting: Setting): Promise<readonly PostgresMigration[]> {
  const { schema, migrations, lockMs } = setting;
  await connection.query({ text: "select pg_advisory_xact_lock($1, $2)", values: [lockClass(schema), MIGRATION_LOCK] });
  const found = await lookAt(connection, setting);
  const due = migrations.filter(({ format }) => format > (found?.format ?? 0));
  const steps = found === undefined ? due : due.slice(0, 1);
  if (steps.length === 0) return steps;
  await connection.query({ text: `set local lock_timeout = ${lockMs}` });
  // The schema may be there, made for a role that may not make any itself.
  const { rows } = await connection.query({ text: "select 1 from pg_catalog.pg_namespace where nspname = $1", values: [schema] });
  if (rows.length === 0) await connection.query({ text: `create schema ${quotedName(schema)}` });
  for (const { format, readableBy, statements } of steps) {
    await connection.query({ text: inSchema(statements, schema) });
    await connection.query({ text: inSchema(SET_META, schema), values: [format, readableBy] });
  }
  return steps;
}

async function grantAll(connection: Connection, grants: readonly string[], role: string): Promise<void> {
  for (const text of grants)
    await connection.query({ text }).catch((error: unknown) => {
      if (sqlState(error) !== "42704") throw error;
      throw new InvalidArgumentError(
        `There is no role ${JSON.stringify(role)} in this database server: create it first (create role ... login).`,
      );
    });
}

async function inTransaction<T>(connection: Connection, setting: Setting, work: () => Promise<T>): Promise<T> {
  await connection.query({ text: "begin isolation level read committed; set local statement_timeout = 0" });
  try {
    const answer = await work();
    await connection.query({ text: "commit" });
    return answer;
  } catch (error) {
    await connection.query({ text: "rollback" }).catch(() => undefined);
    throw sqlState(error) === "55P03" ? error : refusal(error, setting);
  }
}

/** What an error of the server means for whoever migrates or connects. */
function refusal(error: unknown, setting: Setting): unknown {
  if (error instanceof OstinatoError) return error;
  const { message } = error as Error;
  switch (sqlState(error)) {
    case "42501":
      return new AccessDeniedError(
        `${whereOf(setting)} cannot be made or changed by this role: ${message}. Ask an administrator to run ${commandFor(setting, " --grant-to <this role>")}.`,
        { cause: error },
      );
    case "42P07":
    case "42710":
    case "42723":
      return notOurs(setting, error);
    case "55P03":
      return new StoreUnavailableError(
        `${whereOf(setting)} could not be changed: others held its tables all the time (${message}). Nothing was changed; try again when less goes on.`,
        { cause: error },
      );
    case "25006":
      return new StoreUnavailableError(`${placeName(setting.place)} only reads: it is a standby. Connect to the primary.`, {
        cause: error,
      });
    default:
      return error;
  }
}
