// program: the command line from its arguments to its exit code.
//
// Owns:    the options and the help of all commands together; what is said when a command cannot be carried out.
// Tells:   each command its session and options; who started it, the exit code.
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import {
  addDatabaseCommands,
  addDevelopingCommands,
  addFileCommands,
  addLookingCommands,
  addMovingCommands,
  addOperatingCommands,
  addServingCommands,
} from "./command-line.ts";
import type { Act, AddCommand } from "./command-line.ts";
import { endOf, EXIT } from "./exit-codes.ts";
import { PipeClosedError } from "./io.ts";
import type { Io } from "./io.ts";
import { jsonText, plain } from "./print/escape.ts";
import { createSession } from "./session.ts";
import type { GlobalOptions } from "./session.ts";

const EXAMPLES = `
Examples:
  export OSTINATO_URL=sqlite:orders.db
  ostinato list --status running,failed --created-after 2h
  ostinato explain order-17                          why it waits, and what helps
  ostinato history order-17 --payloads               what happened, with inputs and results
  ostinato raise order-17 approved --data '{"by":"Ada"}'
  ostinato list --status failed --json | jq -r .id
`;

const EXIT_CODES = `
Exit codes:
  0  done; the answer is yes
  1  done; the answer is no: something was found, or not all could be done
  2  the command line makes no sense
  3  there is no such instance
  4  the task hub cannot be opened: not there, not allowed, held by another process, damaged, of another version
  5  the instance's state does not allow it
  70 a bug, or something nobody foresaw

Payloads (inputs, outputs, event data, custom status) are shown only with --payloads. Failures show their type and message.
`;

/** Runs a command line; resolves to the exit code. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram(io, (code) => void (exitCode = code));
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    return told(error, io, program.opts<GlobalOptions>().json ?? false);
  }
}

/** Says what went wrong; the exit code. */
async function told(error: unknown, io: Io, json: boolean): Promise<number> {
  if (error instanceof PipeClosedError) return EXIT.ok;
  // Commander has written its own message, and its help.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { exitCode, code } = endOf(error);
  const message = error instanceof Error ? error.message : String(error);
  try {
    if (json) await io.err(`${jsonText({ error: { code, message } })}\n`);
    else await io.err(`ostinato: ${plain(message)}\n`);
    if (exitCode === EXIT.unforeseen && !json && error instanceof Error)
      await io.err(`${(error.stack ?? "").split("\n").map(plain).join("\n")}\n`);
  } catch {
    // Nobody listens to standard error either; the exit code still tells.
  }
  return exitCode;
}

function createProgram(io: Io, ended: (exitCode: number) => void): Command {
  // Commander writes without waiting; what it writes is a page of help at most.
  const write = (to: (text: string) => Promise<void>) => (text: string) => void to(text).catch(() => undefined);
  const program = new Command("ostinato")
    .description("Looks into and operates task hubs of Ostinato.")
    .version(versionOf(), "-V, --version", "prints the version")
    .helpOption("-h, --help", "prints this help")
    .helpCommand("help [command]", "prints the help of a command")
    .addOption(new Option("-u, --url <url>", "the task hub, for example sqlite:orders.db; by default what OSTINATO_URL says"))
    .option("--json", "prints JSON: one value, or one line for each")
    .option("--hub-options <module>", "a module that exports hubOptions for openTaskHub: a codec, a converter, limits")
    .option("--no-color", "prints no colours (as NO_COLOR does, and a pipe)")
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(io.columns ?? 100, 120) })
    .configureOutput({
      writeOut: write(io.out),
      writeErr: write(io.err),
      getOutHelpWidth: () => io.columns ?? 100,
      getErrHelpWidth: () => io.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text, writeText) =>
        writeText(
          plain(text.trim())
            .replace(/^error: /, "ostinato: ")
            .replaceAll("\\n", "\n") + "\n",
        ),
    })
    .showHelpAfterError("(ostinato --help, or ostinato help <command>, says more)")
    .exitOverride()
    .addHelpText("after", EXAMPLES + EXIT_CODES);

  const command = (usage: string, summary: string, examples: readonly string[], act: Act): Command => {
    const made = program
      .command(usage)
      .description(summary)
      .action(async (...given: unknown[]) => {
        // Arguments, then options, then the command itself.
        const session = createSession(io, program.opts<GlobalOptions>());
        const code = await act(session, ...(given.slice(0, -1) as never[]));
        if (typeof code === "number") ended(code);
      });
    return made.addHelpText("after", `\nExamples:\n${examples.map((each) => `  ${each}`).join("\n")}\n`);
  };
  const add: AddCommand = { group: (heading) => void program.commandsGroup(heading), command };
  addLookingCommands(add);
  addOperatingCommands(add);
  addFileCommands(add);
  addDatabaseCommands(add);
  addMovingCommands(add);
  addServingCommands(add);
  addDevelopingCommands(add);
  return program;
}

function versionOf(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { readonly version: string };
  return version;
}
