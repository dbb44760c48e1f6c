// schema-hub-rows: the rows of one hub in a schema of PostgreSQL, for a move.
//
// Is told: a connection string; the move has a connection of its own.
// Always:  R5 a hub is moved by one connection at a time: it holds an advisory lock, which ends with it.
//          R6 when a hub has been closed nobody is in the middle of a call that found it open: each of them reads `hubs`, and the lock that closes it waits for them.
//          A page is one statement, and is cut off by size at the server: what is large stays where it is until its page comes.
//          Each writing operation is one transaction.

import { setTimeout as sleep } from "node:timers/promises";
import { AccessDeniedError, InvalidStateError, OstinatoError, StoreUnavailableError } from "../../contract/errors.ts";
import type { HubRows, MoveNote } from "../move/hub-rows.ts";
import { HUB_TABLES } from "../move/hub-tables.ts";
import type { HubTable, Key, Row } from "../move/hub-tables.ts";
import type { Column } from "../sql/rows.ts";
import { arrayOf } from "./columns.ts";
import { importPg, sqlState } from "./database.ts";
import type { PgClient } from "./database.ts";
import { inSchema } from "./functions.ts";
import { prepareSchema } from "./migrate.ts";
import { checkSchemaName, DEFAULT_HUB, DEFAULT_SCHEMA, quotedName } from "./names.ts";
import { unreachable } from "./place.ts";

/** How many instances, or rows, one step is about. */
const STEP = 1_000;
/** How long a lock on the list of hubs is waited for at once: whoever works on any hub waits behind us. */
const LOCK_MS = 1_000;
const LOCK_TRIES = 60;
/** Rows are read in the order of a key and found by key, whatever the planner knows about tables that were filled a moment ago. */
const BY_KEY =
  "begin; set local jit = off; set local max_parallel_workers_per_gather = 0; set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off; set local enable_bitmapscan = off; set local enable_sort = off";

/** Where the hub is. */
export interface SchemaHubOptions {
  readonly connectionString: string;
  readonly hub?: string;
  readonly schema?: string;
  /** Makes a schema that is not there. */
  readonly create: boolean;
}

/** What a query is beside its text, for rows that are lists of texts and numbers. */
const AS_COLUMNS = {
  rowMode: "array",
  types: { getTypeParser: (type: number) => (type === 20 || type === 21 || type === 23 ? Number : (text: string) => text) },
};

/** The URL of a hub in a schema, without credentials. */
export function shownSchema(connectionString: string, hub: string = DEFAULT_HUB, schema: string = DEFAULT_SCHEMA): string {
  const afterUser = connectionString.replace(/^[a-z]+:\/\//i, "").replace(/^.*@/s, "");
  const [, where = ""] = /^([^?#]*)/.exec(afterUser) ?? [];
  const host = /[?&]host=([^&#]*)/.exec(afterUser)?.[1];
  const parts = [
    ...(host === undefined ? [] : [`host=${host}`]),
    ...(hub === DEFAULT_HUB ? [] : [`hub=${encodeURIComponent(hub)}`]),
    ...(schema === DEFAULT_SCHEMA ? [] : [`schema=${encodeURIComponent(schema)}`]),
  ];
  return `postgres://${where}${parts.length === 0 ? "" : `?${parts.join("&")}`}`;
}

/**
 * Connects for a move.
 *
 * @throws InvalidStateError when another move is at work on this hub; StoreUnavailableError when the server cannot be reached.
 */
export async function openSchemaHubRows(options: SchemaHubOptions): Promise<HubRows> {
  const { connectionString, hub: name = DEFAULT_HUB, schema = DEFAULT_SCHEMA, create } = options;
  checkSchemaName(schema);
  const shown = shownSchema(connectionString, name, schema);
  const client = await connect(connectionString);
  try {
    await prepareSchema(client, schema, { place: { connectionString }, readOnly: !create });
    if (create) await checkRights(client, schema, shown);
    await takeTurn(client, `${schema} ${name}`, shown);
  } catch (error) {
    await client.end().catch(() => undefined);
    throw inWords(error, shown);
  }
  return rowsOver(client, name, schema, shown);
}

async function connect(connectionString: string): Promise<PgClient> {
  const { Client } = await importPg();
  const place = { connectionString };
  try {
    const client = new Client({ connectionString, application_name: "ostinato move", connectionTimeoutMillis: 10_000, keepAlive: true });
    client.on("error", () => undefined); // the question that is left without an answer tells
    await client.connect();
    return client;
  } catch (error) {
    return unreachable(error, place);
  }
}

async function takeTurn(client: PgClient, what: string, shown: string): Promise<void> {
  const { rows } = await client.query({
    text: "select pg_try_advisory_lock(hashtextextended($1, 0)) as taken",
    values: [`ostinato move ${what}`],
  });
  if (rows[0]?.["taken"] !== true)
    throw new InvalidStateError(`Another move is at work on ${shown}. Wait until it has ended, or end its process.`);
}

/** Whoever lets a hub in keeps numbers for it, which a role that only works with hubs may not. It is said before anything is closed. */
async function checkRights(client: PgClient, schema: string, shown: string): Promise<void> {
  const { rows } = await client.query({
    text: `select bool_and(has_sequence_privilege(c.oid, 'update')) as may from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relkind = 'S'`,
    values: [schema],
  });
  if (rows[0]?.["may"] !== true)
    throw new AccessDeniedError(
      `${shown}: this role works with hubs, and may not let another one in. Move as the role that has made the schema.`,
    );
}

function inWords(error: unknown, shown: string): Error {
  if (error instanceof OstinatoError) return error;
  const { message } = error as Error;
  if (sqlState(error) === "42501")
    return new AccessDeniedError(
      `${shown}: this role may not do what a move needs (${message}). Move as the role that has made the schema.`,
      { cause: error },
    );
  return new StoreUnavailableError(`${shown}: ${message}. Nothing is half done that the same move, run again, does not go on with.`, {
    cause: error,
  });
}

function rowsOver(client: PgClient, name: string, schema: string, shown: string): HubRows {
  const within = (text: string): string => inSchema(text, schema);
  const numbersOf = `pg_get_serial_sequence('${quotedName(schema)}.instances', 'number')::regclass`;
  const sequences = `'${quotedName(schema)}.sequences'::regclass`;

  /** One statement; its rows as lists. */
  async function ask(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    try {
      const { rows } = await client.query({ text: within(text), values: [...values], ...AS_COLUMNS });
      return rows as unknown as readonly Row[];
    } catch (error) {
      throw inWords(error, shown);
    }
  }

  /** Statements without parameters, one after the other. */
  const run = async (text: string): Promise<void> => void (await client.query({ text: within(text) }));

  async function inTransaction<T>(begin: string, use: () => Promise<T>): Promise<T> {
    try {
      await run(begin);
      const done = await use();
      await run("commit");
      return done;
    } catch (error) {
      await run("rollback").catch(() => undefined);
      throw sqlState(error) === "55P03" ? error : inWords(error, shown);
    }
  }

  /** Alone with the list of hubs: nobody is in the middle of a call meanwhile. */
  async function aloneWithHubs(use: () => Promise<unknown>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await inTransaction(`begin; set local lock_timeout = ${LOCK_MS}; lock table {schema}.hubs in access exclusive mode`, use);
        return;
      } catch (error) {
        if (sqlState(error) !== "55P03" || tries === LOCK_TRIES) throw inWords(error, shown);
        await sleep(LOCK_MS / 4);
      }
    }
  }

  let number = 0;
  /** The hub's number; 0 when it is not there. */
  const hub = async (): Promise<number> =>
    (number ||= Number((await ask("select hub from {schema}.hubs where name = $1", [name]))[0]?.[0] ?? 0));

  /** What belongs to the hub, of a table `t`. */
  const ofHub = ({ name: table, hasHub }: HubTable): string =>
    hasHub
      ? `from {schema}.${table} t where t.hub = $1`
      : `from {schema}.${table} t join {schema}.instances i on i.number = t.number where i.hub = $1`;

  async function repeat(text: string, values: readonly unknown[]): Promise<boolean> {
    const [row] = await ask(`with done as (${text} returning 1) select count(*) from done`, values);
    return Number(row?.[0]) > 0;
  }

  return {
    shown,
    async mark() {
      const [row] = await ask("select closed, move from {schema}.hubs where name = $1", [name]);
      if (row === undefined) return undefined;
      const [closed, move] = row as readonly [string | null, string | null];
      return { closed: closed ?? undefined, note: move === null ? undefined : (JSON.parse(move) as MoveNote) };
    },
    async setMark({ closed, note }) {
      const values = [name, closed ?? null, note === undefined ? null : JSON.stringify(note)];
      await aloneWithHubs(() =>
        ask(
          "insert into {schema}.hubs(name, closed, move) values ($1, $2, $3) on conflict (name) do update set closed = excluded.closed, move = excluded.move",
          values,
        ),
      );
    },
    async removeHub() {
      number = 0;
      await aloneWithHubs(async () => {
        await ask("delete from {schema}.owners o using {schema}.hubs h where h.hub = o.hub and h.name = $1", [name]);
        await ask("delete from {schema}.hubs where name = $1", [name]);
      });
    },
    async liveOwners() {
      const found = await ask(
        `select o.label, o.alive_until - {schema}.now_1() from {schema}.owners o join {schema}.hubs h on h.hub = o.hub
          where h.name = $1 and not o.gone and o.alive_until >= {schema}.now_1() order by o.owner`,
        [name],
      );
      return found.map(([label, forMs]) => ({ label: String(label), forMs: Number(forMs) }));
    },
    async dismissOwners() {
      await ask("update {schema}.owners o set gone = true from {schema}.hubs h where h.hub = o.hub and h.name = $1 and not o.gone", [name]);
    },
    async rest() {
      const mine = await hub();
      // Whoever had one may think that it has it still.
      const claimed = `select t.number, t.generation, t.task_id from {schema}.activities t where t.hub = $1 and t.owner is not null limit ${STEP}`;
      const freed = `update {schema}.activities t set owner = null, epoch = t.epoch + 1, visible_at = {schema}.now_1() from (${claimed}) c
        where t.number = c.number and t.generation = c.generation and t.task_id = c.task_id`;
      while (await repeat(freed, [mine]));
      while ((await ask("select 1 from {schema}.owners where hub = $1 limit 1", [mine])).length > 0) {
        await ask("update {schema}.owners set gone = true where hub = $1 and not gone", [mine]);
        const [row] = await ask(`select o_count from {schema}.take_over_1($1, null, ${STEP})`, [mine]);
        if (Number(row?.[0] ?? 0) === 0) await sleep(10); // an owner in the middle of a call
      }
    },
    async next() {
      const [row] = await ask(
        `select coalesce(pg_sequence_last_value(${numbersOf}), 0) + 1, coalesce(pg_sequence_last_value(${sequences}), 0) + 1`,
      );
      return { number: Number(row?.[0]), sequence: Number(row?.[1]) };
    },
    async reserve(counts) {
      const take = async (sequence: string, count: number): Promise<number> => {
        const [row] = await ask(`select nextval(${sequence})`);
        const next = Number(row?.[0]);
        // Others take numbers at the same time; nobody takes as many as are left to them here, between two of our statements.
        const first = next === 1 ? 1 : next + 1_000_000;
        if (count > 0) await ask(`select setval(${sequence}, $1)`, [first + count - 1]);
        return first;
      };
      return { number: await take(numbersOf, counts.number), sequence: await take(sequences, counts.sequence) };
    },
    async count(table, between) {
      const [row] =
        between === undefined
          ? await ask(`select count(*) ${ofHub(table)}`, [await hub()])
          : await ask(`select count(*) from {schema}.${table.name} t where t.number between $1 and $2`, [between.first, between.last]);
      return Number(row?.[0]);
    },
    async page(table, after, { rows, size }) {
      const { columns, keyWidth, large } = table;
      const key = keyColumns(table, "t.");
      // Said of both, so that whichever of them is gone along begins where the page does.
      const behind = table.hasHub ? " and t.number >= $2" : " and t.number >= $2 and i.number >= $2";
      const text = `select ${columns.join(", ")} from (
        select ${columns.map((column) => `t.${column}`).join(", ")}, row_number() over w as place, sum(octet_length(coalesce(t.${large}, ''))) over w as upto
        ${ofHub(table)} and (${key}) > (${marks(2, keyWidth)})${behind} window w as (order by ${key} rows unbounded preceding)
        order by ${key} limit $${keyWidth + 2}) page where place = 1 or upto <= $${keyWidth + 3} order by place`;
      const values = [await hub(), ...after, rows, size];
      return inTransaction(BY_KEY, () => ask(text, values));
    },
    async lastKey(table, first, last) {
      const key = keyColumns(table);
      const [row] = await inTransaction(BY_KEY, () =>
        ask(
          `select ${key} from {schema}.${table.name} where number between $1 and $2 order by ${key.replaceAll(",", " desc,")} desc limit 1`,
          [first, last],
        ),
      );
      return row as Key | undefined;
    },
    async write(table, rows) {
      const { columns, texts, hasHub } = table;
      for (const row of rows) refuseUnholdable(table, row, shown);
      const lists = columns.map((_, index) => arrayOf(rows.map((row) => row[index] as Column)));
      const typed = columns.map((column, index) => `$${index + 2}::${texts.has(column) ? "text" : "bigint"}[]`);
      const own = hasHub ? ["hub", "$1::int"] : ["", ""];
      const into = [...columns, ...(hasHub ? [own[0]] : [])].join(", ");
      const from = [...columns.map((column) => `u.${column}`), ...(hasHub ? [own[1]] : [])].join(", ");
      const overriding = table.name === "instances" ? "overriding system value" : "";
      const guard = hasHub ? "" : " where $1::int is not null";
      await ask(
        `insert into {schema}.${table.name}(${into}) ${overriding} select ${from} from unnest(${typed.join(", ")}) u(${columns.join(", ")})${guard}`,
        [await hub(), ...lists],
      );
    },
    async removeSome(table, first, last) {
      const step = `select distinct number from {schema}.${table} where number between $1 and $2 order by number limit ${STEP}`;
      return repeat(`delete from {schema}.${table} where number in (${step})`, [first, last]);
    },
    async removeSomeInstances() {
      return inTransaction("begin", async () => {
        const found = await ask(`select number from {schema}.instances where hub = $1 order by number limit ${STEP}`, [await hub()]);
        const numbers = arrayOf(found.map(([number]) => number as Column));
        if (found.length > 0)
          for (const { name: table } of HUB_TABLES) await ask(`delete from {schema}.${table} where number = any($1::bigint[])`, [numbers]);
        return found.length > 0;
      });
    },
    async settle() {
      for (const { name: table } of HUB_TABLES) await ask(`analyze {schema}.${table}`);
    },
    close: () => client.end().catch(() => undefined),
  };
}

function refuseUnholdable(table: HubTable, row: Row, shown: string): void {
  const index = row.findIndex((value) => typeof value === "string" && value.includes("\0"));
  if (index < 0) return;
  throw new InvalidStateError(
    `${shown} cannot hold what is in table ${table.name}, column ${table.columns[index] ?? "?"}, of instance number ${String(row[0])}: texts of PostgreSQL have no ` +
      "character U+0000. Undo the move, purge that instance, and move again.",
  );
}

const marks = (from: number, count: number): string => Array.from({ length: count }, (_, index) => `$${from + index}`).join(", ");

const keyColumns = ({ columns, keyWidth }: HubTable, prefix = ""): string =>
  columns
    .slice(0, keyWidth)
    .map((column) => `${prefix}${column}`)
    .join(", ");
