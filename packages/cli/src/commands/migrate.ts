// migrate: the schema of a task hub in PostgreSQL is made, or brought to the format of this version.
import { migratePostgres } from "ostinato/postgres";
import { urlOf } from "../connect.ts";
import { EXIT, usageError } from "../exit-codes.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";

export interface MigrateCommandOptions {
  readonly schema?: string;
  readonly grantTo?: string;
  readonly dryRun?: boolean;
}

/** Migrates, or shows what that would do. The exit code of a dry run says whether there is anything to do. */
export async function migrate(
  session: Session,
  given: string | undefined,
  { schema, grantTo, dryRun = false }: MigrateCommandOptions,
): Promise<number> {
  const connectionString = given ?? urlOf(session);
  if (!/^postgres(?:ql)?:\/\//i.test(connectionString))
    throw usageError(
      "Only a task hub in PostgreSQL has a schema to migrate: ostinato migrate postgres://host/database. A file is brought up to date by who opens it.",
    );
  const done = await migratePostgres({ connectionString, schema, grantTo, dryRun });
  const { from, to, applied, statements } = done;
  if (session.json) await session.tell({ from, to, applied, dryRun, ...(dryRun ? { statements } : {}) });
  else if (dryRun) await session.say(...statements.map((statement) => `${statement.replace(/;?\s*$/, "")};`));
  const what = session.json ? undefined : summary(done, dryRun, grantTo);
  if (what !== undefined) await (dryRun ? session.note(what) : session.say(what));
  return dryRun && applied.length > 0 ? EXIT.no : EXIT.ok;
}

function summary(
  { from, to, applied }: { readonly from: number; readonly to: number; readonly applied: readonly number[] },
  dryRun: boolean,
  grantTo: string | undefined,
): string {
  const rights = grantTo === undefined ? "" : ` The role ${quoted(grantTo)} ${dryRun ? "would get" : "has"} the rights to work with it.`;
  if (applied.length === 0) return `The schema has format ${to}: there is nothing to migrate.${rights}`;
  const step = from === 0 ? `format ${to}, made anew` : `format ${to}, from ${from}`;
  return `The schema ${dryRun ? "would have" : "has"} ${step}.${rights}${dryRun ? " Nothing was changed." : ""}`;
}
