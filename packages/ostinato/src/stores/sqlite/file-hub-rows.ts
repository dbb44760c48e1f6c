// file-hub-rows: the rows of one hub in a file, for a move.
//
// Is told: a file, which this process takes for the time of the move.
// Always:  D9 nobody else can hold the file meanwhile, so nobody works on any of its hubs.
//          Each writing operation is one transaction, on the disk when it returns.

import { existsSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { StoreUnavailableError } from "../../contract/errors.ts";
import type { HubMark, HubRows, MoveNote } from "../move/hub-rows.ts";
import { HUB_TABLES } from "../move/hub-tables.ts";
import type { HubTable, Key, Row, TableName } from "../move/hub-tables.ts";
import type { Column } from "../sql/rows.ts";
import { machineClock } from "../store-clock.ts";
import { canonicalPath, lockFile, messageOf, openForWriting } from "./database-file.ts";
import { inWords } from "./disk-faults.ts";
import { Leases } from "./leases.ts";
import { Session } from "./session.ts";

/** How many instances one step of removing is about. */
const STEP = 200;

/** Where the hub is. */
export interface FileHubOptions {
  readonly path: string;
  readonly hub?: string;
  /** Makes a file that is not there. */
  readonly create: boolean;
}

/** The URL of a hub in a file. */
export function shownFile(path: string, hub = "default"): string {
  const full = canonicalPath(path);
  return hub === "default" ? `sqlite:${full}` : `sqlite:${full}?hub=${encodeURIComponent(hub)}`;
}

/**
 * Takes a file for a move.
 *
 * @throws FileLockedError when somebody works with it.
 */
export function openFileHubRows({ path: given, hub: name = "default", create }: FileHubOptions): HubRows {
  const path = canonicalPath(given);
  if (!create && !existsSync(path))
    throw new StoreUnavailableError(`${path} does not exist, so there is nothing to move. Look at the path.`);
  const lock = lockFile(path);
  let db: DatabaseSync;
  try {
    db = openForWriting(path);
  } catch (error) {
    lock.release();
    throw error;
  }
  const prepared = new Map<string, StatementSync>();

  function sql(text: string): StatementSync {
    let statement = prepared.get(text);
    if (statement === undefined) {
      statement = db.prepare(text);
      statement.setReturnArrays(true);
      prepared.set(text, statement);
    }
    return statement;
  }

  const one = (text: string, ...values: Column[]): Column[] | undefined => sql(text).get(...values) as unknown as Column[] | undefined;
  const count = (text: string, ...values: Column[]): number => Number(one(text, ...values)?.[0] ?? 0);
  const hub = (): number => count("select hub from hubs where name = ?", name);

  /** All or nothing, and errors in words. */
  function lasting<T>(write: () => T): T {
    try {
      db.exec("begin immediate");
      const done = write();
      db.exec("commit");
      return done;
    } catch (error) {
      if (db.isTransaction) db.exec("rollback");
      throw new StoreUnavailableError(`${path}: ${inWords(error)}`, { cause: error });
    }
  }

  /** What belongs to the hub, of a table `t`. */
  const ofHub = ({ name: table, hasHub }: HubTable): string =>
    hasHub
      ? `from ${table} t where +t.hub = ?` // the plus keeps it to the order of the key
      : `from ${table} t cross join instances i on i.number = t.number where i.hub = ?`;

  return {
    shown: shownFile(path, name),
    async mark() {
      const row = one("select closed, move from hubs where name = ?", name) as [string | null, string | null] | undefined;
      return (
        row && ({ closed: row[0] ?? undefined, note: row[1] === null ? undefined : (JSON.parse(row[1]) as MoveNote) } satisfies HubMark)
      );
    },
    async setMark({ closed, note }) {
      lasting(() =>
        sql(
          "insert into hubs(name, closed, move) values(?, ?, ?) on conflict(name) do update set closed = excluded.closed, move = excluded.move",
        ).run(name, closed ?? null, note === undefined ? null : JSON.stringify(note)),
      );
    },
    async removeHub() {
      lasting(() => sql("delete from hubs where name = ?").run(name));
    },
    liveOwners: async () => [],
    dismissOwners: async () => undefined,
    async rest() {
      const session = new Session(db, new Leases());
      session.start(machineClock().now());
      lasting(() => {
        // Whoever had one may think that it has it still.
        sql("update activities set owner = null, epoch = epoch + 1, visible_at = ? where owner is not null and hub = ?").run(
          session.at,
          hub(),
        );
        for (const [number] of session.sql.stranded.all() as unknown as [number][]) session.placeReady(number, true);
      });
    },
    async next() {
      const next = (key: string): number => count("select value from meta where key = ?", key);
      return { number: next("next_number"), sequence: next("next_sequence") };
    },
    async reserve(counts) {
      const take = (key: string, many: number): number => {
        const first = count("select value from meta where key = ?", key);
        sql("update meta set value = ? where key = ?").run(first + many, key);
        return first;
      };
      return lasting(() => ({ number: take("next_number", counts.number), sequence: take("next_sequence", counts.sequence) }));
    },
    async count(table, between) {
      if (between === undefined) return count(`select count(*) ${ofHub(table)}`, hub());
      return count(`select count(*) from ${table.name} where number between ? and ?`, between.first, between.last);
    },
    async page(table, after, limits) {
      const { columns } = table;
      const key = keyColumns(table, "t.");
      const statement = sql(
        `select ${columns.map((column) => `t.${column}`).join(", ")} ${ofHub(table)} and (${key}) > (${marks(table.keyWidth)}) order by ${key} limit ?`,
      );
      const large = columns.indexOf(table.large);
      const rows: Row[] = [];
      let size = 0;
      try {
        for (const row of statement.iterate(hub(), ...after, limits.rows) as unknown as Iterable<Column[]>) {
          size += String(row[large] ?? "").length;
          if (rows.length > 0 && size > limits.size) break;
          rows.push(row);
        }
      } catch (error) {
        throw new StoreUnavailableError(
          `${path} cannot be read: table ${table.name}, behind (${after.join(", ")}): ${messageOf(error)}. checkIntegrity() says more.`,
          { cause: error },
        );
      }
      return rows;
    },
    async lastKey(table, first, last) {
      const key = keyColumns(table);
      const descending = key.replaceAll(",", " desc,");
      return one(`select ${key} from ${table.name} where number between ? and ? order by ${descending} desc limit 1`, first, last) as
        Key | undefined;
    },
    async write(table, rows) {
      const { columns, hasHub } = table;
      const names = hasHub ? [...columns, "hub"] : columns;
      lasting(() => {
        const insert = sql(`insert into ${table.name}(${names.join(", ")}) values(${marks(names.length)})`);
        const mine = hasHub ? [hub()] : [];
        for (const row of rows) insert.run(...row, ...mine);
      });
    },
    async removeSome(table, first, last) {
      const step = `select distinct number from ${table} where number between ? and ? order by number limit ${STEP}`;
      return lasting(() => Number(sql(`delete from ${table} where number in (${step})`).run(first, last).changes) > 0);
    },
    async removeSomeInstances() {
      return lasting(() => {
        const numbers = sql(`select number from instances where +hub = ? order by number limit ${STEP}`).all(hub()) as unknown as [
          number,
        ][];
        for (const [number] of numbers)
          for (const { name: table } of HUB_TABLES) sql(`delete from ${table satisfies TableName} where number = ?`).run(number);
        return numbers.length > 0;
      });
    },
    settle: async () => undefined,
    async close() {
      db.close();
      lock.release();
    },
  };
}

const marks = (count: number): string => Array.from({ length: count }, () => "?").join(", ");

const keyColumns = ({ columns, keyWidth }: HubTable, prefix = ""): string =>
  columns
    .slice(0, keyWidth)
    .map((column) => `${prefix}${column}`)
    .join(", ");
