// @ostinato/cli: the command line, for those who put it into a program of their own, and for tests.

export { runCli } from "./run-cli.ts";
export { EXIT } from "./exit-codes.ts";
export { PipeClosedError, type Io } from "./io.ts";
