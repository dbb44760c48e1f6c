// from-postgres: a dump of a task hub in PostgreSQL, read from its tables.
//
// Is told: rows; what their columns mean says sql-rows.
// Always:  all tables are read at one moment, in one transaction that reads and writes nothing.
import { Client } from "pg";
import { activityOf, group, instanceOf, messageOf, type Row } from "./sql-rows.ts";
import type { Dump } from "./stored.ts";

/** Which part of a database is read. */
export interface DumpedPart {
  /** The schema; "ostinato" by default. */
  readonly schema?: string;
  /** One task hub; all of them by default. */
  readonly hub?: string;
}

/** What the texts of a type become, by the number that the server knows it by. Whole numbers are numbers, whatever their width. */
const PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === "t",
  20: Number,
  21: Number,
  23: Number,
  114: (text) => JSON.parse(text) as unknown,
  3802: (text) => JSON.parse(text) as unknown,
};
const asItIs = (text: string): unknown => text;

/** A connection of the checker's own. */
export async function connectTo(url: string): Promise<Client> {
  const types = { getTypeParser: (oid: number) => PARSERS[oid] ?? asItIs };
  const client = new Client({ connectionString: url, application_name: "checker", types });
  // A server that goes away says so here as well; whoever asks next is told.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** Everything that a schema holds, by the server's clock. */
export async function dumpOfPostgres(url: string, { schema = "ostinato", hub }: DumpedPart = {}): Promise<Dump> {
  const client = await connectTo(url);
  try {
    await client.query("begin transaction isolation level repeatable read read only");
    const table = (name: string): string => `"${schema.replaceAll('"', '""')}".${name}`;
    const all = async (sql: string, ...values: readonly unknown[]): Promise<Row[]> => (await client.query<Row>(sql, [...values])).rows;
    const own = hub === undefined ? "true" : `hub = (select hub from ${table("hubs")} where name = $1)`;
    const name = hub === undefined ? [] : [hub];
    const [{ at } = { at: 0 }] = await all("select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as at");
    const rows = await all(`select * from ${table("instances")} where ${own} order by number`, ...name);
    const numbers = new Set(rows.map((row) => row["number"] as number));
    const everyone = hub === undefined ? numbers : new Set((await all(`select number from ${table("instances")}`)).map(numberOf));
    const isOurs = (row: Row): boolean => hub === undefined || numbers.has(numberOf(row));
    const ofNobody = async (from: string): Promise<number> =>
      (await all(`select number from ${table(from)}`)).filter((row) => !everyone.has(numberOf(row))).length;
    const payloads = group(await all(`select number, slot, value from ${table("payloads")}`));
    const histories = group(await all(`select number, turn, first, count, format, body from ${table("history")} order by number, turn`));
    return {
      at: Number(at),
      instances: rows.map((row) => instanceOf(row, payloads.get(numberOf(row)) ?? [], histories.get(numberOf(row)) ?? [])),
      messages: (await all(`select * from ${table("messages")} order by number, sequence`)).filter(isOurs).map(messageOf),
      activities: (await all(`select * from ${table("activities")}`)).filter(isOurs).map(activityOf),
      others: {
        "payloads of nobody": await ofNobody("payloads"),
        "histories of nobody": await ofNobody("history"),
        "messages of nobody": await ofNobody("messages"),
        "activities of nobody": await ofNobody("activities"),
        "ready marks of nobody": await ofNobody("ready"),
        "news of nobody": await ofNobody("news"),
      },
    };
  } finally {
    await client.end();
  }
}

const numberOf = (row: Row): number => row["number"] as number;
