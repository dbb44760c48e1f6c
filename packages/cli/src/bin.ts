#!/usr/bin/env node
// bin: the command line, on this process's streams.
import { processIo } from "./process-io.ts";
import { runCli } from "./run-cli.ts";

// Set and not called: what is still on its way to a pipe gets there.
process.exitCode = await runCli(process.argv.slice(2), processIo(process));
