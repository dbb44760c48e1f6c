// connect: an address becomes a Backend: what `openTaskHub("grpc://...")` asks for.
//
// Owns:    how channel, credentials and backend are put together; who we say we are.
// Always:  CN1 a token is only ever sent over an encrypted connection, or to this machine.
//          CN2 nothing is sent while connecting: a hub may be opened before its server is there.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { InvalidArgumentError } from "ostinato";
import { given, silentLogger, systemClock, systemRandom, type Backend, type Clock, type Logger, type Random } from "ostinato/contract";
import { isLoopback } from "../loopback.ts";
import { openChannel, type ChannelTls } from "../transport/open-channel.ts";
import type { Metadata } from "../transport/transport.ts";
import { hostAndPort, parseRemoteAddress, type RemoteAddress } from "./connection-string.ts";
import { azureTokens, tokenSource, type TokenGiver } from "./credentials.ts";
import { remoteBackend } from "./remote-backend.ts";

/** How a remote task hub is reached. */
export interface ConnectOptions {
  /** The task hub's name, when the address does not say it. */
  readonly taskHub?: string;
  /** A bearer token, or what gives one that holds. */
  readonly token?: TokenGiver;
  /** Contents of PEM files: whom an encrypted connection trusts, and what it shows. */
  readonly tls?: ChannelTls;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Logger;
}

/**
 * Connects to the task hub of any server of the Durable Task protocol. The server need not be there yet.
 *
 * @param address `"grpc://localhost:4001?taskhub=orders"`, `"grpcs://..."` for an encrypted connection, or a connection string
 *   (`"Endpoint=https://...;TaskHub=orders;Authentication=DefaultAzure"`).
 * @throws InvalidArgumentError for an address that cannot be read, or a token that would go over an open network.
 * @example
 * const backend = await connect("grpc://localhost:4001");
 */
export async function connect(address: string, options: ConnectOptions = {}): Promise<Backend> {
  refuseUnknown(options);
  const { clock = systemClock, random = systemRandom, log = silentLogger } = options;
  const target = parseRemoteAddress(address);
  const where = hostAndPort(target);
  if (options.tls !== undefined && !target.encrypted)
    throw new InvalidArgumentError(
      `The address of ${where} asks for a connection without encryption, so { tls } means nothing: write "grpcs://${where}".`,
    );
  if (options.taskHub !== undefined && target.taskHub !== undefined && options.taskHub !== target.taskHub)
    throw new InvalidArgumentError(
      `The address of ${where} names the task hub '${target.taskHub}', and the options '${options.taskHub}': name one.`,
    );
  const giver = await tokenGiver(target, options.token);
  if (giver !== undefined && !target.encrypted && !isLoopback(target.host))
    throw new InvalidArgumentError(
      `A token for ${where} would go over an open network, where anybody can read it. Use an encrypted connection: ${encryptedForm(address, where)}.`,
    );
  const taskHub = options.taskHub ?? target.taskHub;
  if (taskHub !== undefined && !HEADER_TEXT.test(taskHub))
    throw new InvalidArgumentError(
      `The task hub name ${JSON.stringify(taskHub)} cannot be sent: it needs printable ASCII characters without spaces.`,
    );
  const metadata: Metadata = { "x-user-agent": `ostinato/${VERSION}`, ...given({ taskhub: taskHub }) };
  const channel = openChannel(where, { timers: clock, ...(target.encrypted ? { tls: options.tls ?? {} } : {}) });
  return remoteBackend(channel, {
    where,
    clock,
    random,
    log,
    metadata,
    workerMetadata: { workerid: `${headerText(hostname())},${process.pid},${random.id()}` },
    ...given({ token: giver === undefined ? undefined : tokenSource(giver, clock) }),
  });
}

const OPTION_NAMES: { readonly [N in keyof ConnectOptions]-?: true } = {
  taskHub: true,
  token: true,
  tls: true,
  clock: true,
  random: true,
  log: true,
};
const HEADER_TEXT = /^[\x21-\x7e]+$/;
const { version: VERSION } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};

function refuseUnknown(options: ConnectOptions): void {
  for (const name of Object.keys(options))
    if (!Object.hasOwn(OPTION_NAMES, name))
      throw new InvalidArgumentError(`connect has no option '${name}'; it has ${Object.keys(OPTION_NAMES).join(", ")}.`);
}

async function tokenGiver({ authentication }: RemoteAddress, token: TokenGiver | undefined): Promise<TokenGiver | undefined> {
  if (token !== undefined) return token;
  return authentication.kind === "none" ? undefined : azureTokens(authentication.credential, authentication.options);
}

function encryptedForm(address: string, where: string): string {
  return /^grpc:/i.test(address) ? `"grpcs://${where}"` : '"Endpoint=https://..."';
}

/** Names may have any characters; headers may not. */
function headerText(text: string): string {
  return HEADER_TEXT.test(text) ? text : encodeURIComponent(text);
}
