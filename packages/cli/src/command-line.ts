// command-line: the commands, their options and the help of each.
//
// Owns:    every word that a command is called with. What it does is in a file of commands/.
import { Option } from "commander";
import type { Command } from "commander";
import { backup } from "./commands/backup.ts";
import { check } from "./commands/check.ts";
import { cleanEntities } from "./commands/clean-entities.ts";
import { entities } from "./commands/entities.ts";
import { entity } from "./commands/entity.ts";
import { explain } from "./commands/explain.ts";
import { exportTo } from "./commands/export.ts";
import { history } from "./commands/history.ts";
import { integrity } from "./commands/integrity.ts";
import { list } from "./commands/list.ts";
import { migrate } from "./commands/migrate.ts";
import { move } from "./commands/move.ts";
import { purge } from "./commands/purge.ts";
import { raise } from "./commands/raise.ts";
import { restart } from "./commands/restart.ts";
import { restore } from "./commands/restore.ts";
import { resume } from "./commands/resume.ts";
import { rewind } from "./commands/rewind.ts";
import { show } from "./commands/show.ts";
import { signal } from "./commands/signal.ts";
import { serveHubs } from "./commands/serve.ts";
import { sizes } from "./commands/sizes.ts";
import { suspend } from "./commands/suspend.ts";
import { terminate } from "./commands/terminate.ts";
import type { Session } from "./session.ts";

/** What a command does: its arguments, then its options. What it resolves to is the exit code; nothing is 0. */
export type Act = (session: Session, ...rest: never[]) => Promise<number | void>;

/** Where commands are added. */
export interface AddCommand {
  /** The commands that follow stand under this heading. */
  readonly group: (heading: string) => void;
  readonly command: (usage: string, summary: string, examples: readonly string[], act: Act) => Command;
}

/** Commands that only look. */
export function addLookingCommands({ group, command }: AddCommand): void {
  group("To look:");
  const payloads = new Option("--payloads", "shows payloads too: inputs, outputs, event data, custom status");

  filterOptions(
    command(
      "list",
      "Lists instances, in order of creation.",
      ["ostinato list --status failed --created-after 1d", "ostinato list --tag team=it --json | jq .id"],
      list,
    ),
  )
    .option("-n, --limit <count>", "at most so many; 0: all", "100")
    .option("--newest", "the last ones, newest first (reads all that fit)")
    .addOption(payloads);
  command("show <id>", "Shows one instance, and what it waits for.", ["ostinato show order-17 --payloads"], show).addOption(payloads);
  command(
    "history <id>",
    "Shows what happened to an instance, as a timeline.",
    ["ostinato history order-17", "ostinato history order-17 --json --payloads > order-17.jsonl"],
    history,
  ).addOption(payloads);
  command(
    "explain <id>",
    "Says why an instance waits: for what, since when, who has it, what helps, and what happens next. Follows into children.",
    ["ostinato explain order-17"],
    explain,
  );
  command(
    "entities",
    "Lists entities, in the order in which they came to be.",
    ["ostinato entities --name counter", "ostinato entities --prefix @account@a --json --payloads"],
    entities,
  )
    .option("--name <entity>", "of this name")
    .option("--prefix <text>", "whose ids begin with it; with --name, whose keys do")
    .option("--all", "those without a state, too")
    .option("-n, --limit <count>", "at most so many; 0: all", "100")
    .addOption(payloads);
  command(
    "entity <id>",
    "Shows one entity: who has it to itself, and how much waits for it.",
    ["ostinato entity @counter@visits --payloads"],
    entity,
  ).addOption(payloads);
}

/** Commands that change instances. */
export function addOperatingCommands({ group, command }: AddCommand): void {
  group("To operate (no other process may hold the file):");
  command(
    "raise <id> <event>",
    "Raises an external event at an instance.",
    [
      `ostinato raise order-17 approved --data '{"by":"Ada"}'`,
      "ostinato raise order-17 documents --data-file documents.json",
      "make-data | ostinato raise order-17 documents --data-file -",
    ],
    raise,
  )
    .option("-d, --data <json>", "the event's data, as JSON")
    .option("--data-file <file>", "the event's data from a file; - is standard input");
  command(
    "signal <entity> <operation>",
    "Asks an entity for an operation.",
    ["ostinato signal @counter@visits add --data 1", "ostinato signal @counter@visits delete"],
    signal,
  )
    .option("-d, --data <json>", "the operation's input, as JSON")
    .option("--at <time>", "not before this time: 2026-11-22T17:28:09Z")
    .option("--data-file <file>", "the input from a file; - is standard input");
  command(
    "clean-entities",
    "Takes away entities that have no state, no lock and nothing to do, and locks whose owners do not run any more.",
    ["ostinato clean-entities"],
    cleanEntities,
  );
  command(
    "terminate <id>",
    "Ends an instance, whatever its code is doing.",
    ["ostinato terminate order-17 --recursive", `ostinato terminate order-17 --output '{"reason":"withdrawn"}'`],
    terminate,
  )
    .option("-r, --recursive", "its children too, and theirs")
    .option("--output <json>", "what becomes its output, as JSON");
  command(
    "suspend <id>",
    "Holds an instance; events and results wait meanwhile.",
    ['ostinato suspend order-17 --reason "the bank is closed"'],
    suspend,
  ).option("--reason <text>", "why, for its history");
  command(
    "resume <id>",
    "Lets a suspended instance go on, or an entity that was set aside.",
    ["ostinato resume order-17", "ostinato resume @counter@visits"],
    resume,
  ).option("--reason <text>", "why, for its history");
  command(
    "rewind <id>",
    "Lets a failed instance go on: what failed is tried again, what succeeded is not.",
    ['ostinato rewind order-17 --reason "the bank is back"'],
    rewind,
  ).option("--reason <text>", "why, for its history");
  command(
    "restart <id>",
    "Runs an instance once more from its beginning, with the same input.",
    ["ostinato restart order-17", "ostinato restart order-17 --new-id", "ostinato restart order-17 --new-id order-17b"],
    restart,
  ).option("--new-id [id]", "under this id, or one that is made up; the old instance stays");
  filterOptions(
    command(
      "purge [ids...]",
      "Removes instances that have ended, with their histories: by id, or all of a filter.",
      [
        "ostinato purge order-17 --recursive",
        "ostinato purge --status completed --older-than 30d --dry-run",
        "ostinato purge --status failed --older-than 90d --yes",
      ],
      purge,
    ),
  )
    .option("--older-than <time>", "that ended so long ago (30d), or before a time")
    .option("-r, --recursive", "their children too, as far as they have ended")
    .option("--dry-run", "only says how many there are")
    .option("-y, --yes", "asks nothing");
}

/** Commands about the file. */
export function addFileCommands({ group, command }: AddCommand): void {
  group("To look after the file (beside whoever works on it):");
  command("backup <path>", "Writes a copy of the task hub's file, of this moment.", ["ostinato backup backups/orders-friday.db"], backup);
  command(
    "restore <backup>",
    "Puts a backup where --url leads; nothing may be there.",
    ["ostinato restore backups/orders-friday.db --url sqlite:orders.db"],
    restore,
  );
  command(
    "integrity",
    "Reads the whole file and says what is wrong with it. Exit code 1: something is.",
    ["ostinato integrity"],
    integrity,
  );
  command("sizes", "Says how large the file or database is and what is in it.", ["ostinato sizes --json"], sizes);
}

/** Commands about a database. */
export function addDatabaseCommands({ group, command }: AddCommand): void {
  group("To look after a database (PostgreSQL):");
  command(
    "migrate [url]",
    "Makes the schema of a task hub, or brings it to the format of this version; processes of the version before work on meanwhile.",
    [
      "ostinato migrate postgres://admin@db/orders",
      "ostinato migrate postgres://admin@db/orders --grant-to orders_app",
      "ostinato migrate postgres://admin@db/orders --schema jobs --dry-run",
    ],
    migrate,
  )
    .option("--schema <name>", "the schema, where the URL does not say it; ostinato by default")
    .option(
      "--grant-to <role>",
      "gives a role what it needs to work with the hubs, also of later formats; it can create and change no tables",
    )
    .option("--dry-run", "changes nothing, and prints the statements. Exit code 1: there is something to migrate");
}

/** The command that takes a task hub elsewhere. */
export function addMovingCommands({ group, command }: AddCommand): void {
  group("To move a task hub (to another file or database, and back):");
  command(
    "move <from> [to]",
    "Moves a task hub with everything in it. Where it was it is closed from then on, and says where it went. Cut off, the same command goes on.",
    [
      "ostinato move sqlite:app.db postgres://db/app",
      "ostinato move postgres://db/app 'sqlite:app.db?hub=orders' --stop-workers",
      "ostinato move --undo sqlite:app.db postgres://db/app",
      "ostinato move --unfence sqlite:app.db",
    ],
    move,
  )
    .option("--stop-workers", "sends away who has it open (PostgreSQL), and waits until their leases have ended")
    .option("--restart", "empties what is in the way first: half of another copy, or a hub that was moved away from there")
    .option("--undo", "takes the move back, if nothing was done at the other side; also one that was cut off")
    .option("--unfence", "opens a hub again whose copy is lost for good; nothing is checked");
}

/** The command that serves. */
export function addServingCommands({ group, command }: AddCommand): void {
  group("To serve (workers and clients in any language, by the Durable Task protocol):");
  command(
    "serve [url]",
    "Serves a task hub until it is told to stop (SIGINT, SIGTERM). SIGHUP reads the certificate again.",
    [
      "ostinato serve sqlite:app.db --port 4001",
      "ostinato serve memory:",
      "ostinato serve --hub orders=sqlite:orders.db --hub bills=sqlite:bills.db",
      "ostinato serve sqlite:app.db --host 0.0.0.0 --tls-cert server.pem --tls-key server-key.pem --token-file tokens",
    ],
    serveHubs,
  )
    .option("--host <address>", "where to listen; other machines can reach anything but the default", "127.0.0.1")
    .option("-p, --port <port>", "0: any that is free", "4001")
    .option("--hub <name=url>", "a task hub by its name; may be given several times", repeat)
    .option("--tls-cert <file>", "the server's certificate, PEM")
    .option("--tls-key <file>", "its key, PEM")
    .option("--client-ca <file>", "callers have to show a certificate of this authority")
    .option("--token-file <file>", "one token a line (or sha256:<hash>), then perhaps hubs=a,b and rights=worker,client")
    .option("--grace <time>", "how long workers may still answer when it stops", "10s")
    .option(
      "--dangerously-allow-unauthenticated-network-access",
      "listens for other machines without TLS or without tokens: whoever gets there can read and change everything",
    );
}

/** Commands about code. */
export function addDevelopingCommands({ group, command }: AddCommand): void {
  group("To develop:");
  command(
    "check",
    "Replays every open instance with the code of a module, reading only: would a deployment stall any? Exit code 1: it would.",
    ["ostinato check --module dist/orders.js --against sqlite:orders.db", "ostinato check --module orders.ts --module bills.ts --json"],
    check,
  )
    .requiredOption("-m, --module <file>", "a module that exports orchestrators, alone or in lists; may be given several times", repeat)
    .option("--against <url>", "the task hub, instead of --url");
  filterOptions(
    command(
      "export <folder>",
      "Writes histories as files, one for each instance: of those that have ended, unless --status says otherwise.",
      [
        "ostinato export histories --name processOrder --completed-after 7d",
        "ostinato export histories --status failed --format json --omit-payloads",
      ],
      exportTo,
    ),
  )
    .option("--format <format>", "jsonl: compressed, for replays; json: for people to read", "jsonl")
    .option("--omit-payloads", "without inputs, outputs and event data; such files cannot be replayed");
}

/** An option that may be given several times. */
function repeat(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** The options that say which instances. */
function filterOptions(command: Command): Command {
  const collect = (text: string, before: readonly string[] = []): string[] => [...before, ...text.split(",").filter((part) => part !== "")];
  return command
    .option("-s, --status <statuses>", "any of these: pending, running, suspended, completed, failed, terminated", collect)
    .option("--name <orchestrator>", "of this orchestrator")
    .option("--prefix <text>", "whose ids begin with it")
    .option("--tag <name=value>", "with this tag; may be given several times", repeat)
    .option("--parent <id>", "children of this instance")
    .option("--stalled", "that have work to do which nobody can run")
    .option("--created-after <time>", "2026-11-22T17:28:09Z, 2026-11-22, or how long ago: 90s, 15m, 2h, 7d")
    .option("--created-before <time>", "likewise")
    .option("--completed-after <time>", "likewise")
    .option("--completed-before <time>", "likewise");
}
