// calls: what the database is asked, in words of one schema.
//
// Owns:    the texts of the calls to the schema's functions; whether the server keeps their statements.
// Is told: statements with `{schema}` in them; functions by their names.
// Tells:   rows, as they came.
// Always:  D6 a call that lost a race was not done, and is made again; whatever else goes wrong is told to whoever asked.

import { isLostRace, sqlState } from "./database.ts";
import type { Database, PostgresRow } from "./database.ts";
import type { Row } from "./answers.ts";
import { inSchema, lockClass } from "./functions.ts";

/** Asks the functions and tables of one schema. */
export interface Calls {
  /** The rows of a statement. */
  rows(text: string, values: unknown[]): Promise<readonly PostgresRow[]>;
  /** The column `r` of each row of a statement. */
  readonly ask: (text: string, values: unknown[]) => Promise<readonly Row[]>;
  /** A call whose statement the server keeps for its connection, unless a pooler stands between that gives each call another one. */
  prepared(name: string, values: unknown[]): Promise<readonly PostgresRow[]>;
}

/** How often a call is made again that the database sent back. */
const RACES = 20;

/** Calls over a database, which may be another one, or none, at each of them. */
export function createCalls(schema: string, database: () => Database): Calls {
  /** By the name of their function. */
  const texts = new Map<string, string>();
  const suffix = lockClass(schema);
  let keepsStatements = true;

  const rows: Calls["rows"] = (text, values) => database().ask({ text: inSchema(text, schema), values });

  return {
    rows,
    ask: async (text, values) => (await rows(text, values)).map((row) => row["r"] as Row),
    async prepared(name, values) {
      let text = texts.get(name);
      if (text === undefined) {
        const marks = Array.from({ length: values.length }, (_, i) => `$${i + 1}`).join(", ");
        texts.set(name, (text = inSchema(`select {schema}.${name}(${marks}) as r`, schema)));
      }
      if (keepsStatements) {
        try {
          return await database().ask({ text, values, name: `${name} ${suffix}` });
        } catch (error) {
          // 26000: there is no such statement; 42P05: there is one already. Nothing was done.
          if (sqlState(error) !== "26000" && sqlState(error) !== "42P05") throw error;
          keepsStatements = false;
        }
      }
      return database().ask({ text, values });
    },
  };
}

/** Two who waited for each other: one of them was sent back, and nothing of its call was done (D6). */
export async function retried<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!isLostRace(error) || tries === RACES) throw error;
    }
  }
}
