// credentials: how a caller shows who it is, with a token that is fetched, kept and fetched again.
//
// Owns:    the life of a token: it is asked for when first needed, once for all who wait, and again before it ends or when a server refused it.
// Always:  TK1 a token is in no error and in no log line; what its giver throws is told without the token that may be in it.
//          TK2 a token that still holds is used when a fresh one cannot be had.

import { InvalidArgumentError, UnsupportedError } from "ostinato";
import type { Clock } from "ostinato/contract";
import type { AzureCredentialName, AzureOptions } from "./connection-string.ts";

/** A token and its end, in milliseconds since 1970. */
export interface Token {
  readonly token: string;
  readonly expiresAt: number | Date;
}

/** Gives tokens: always the same, or whichever holds now. Without an end, one is used until a server refuses it. */
export type TokenGiver = string | (() => Promise<string | Token>);

/** Where calls get their token from. */
export interface TokenSource {
  /** The token that holds now. */
  current(): Promise<string>;
  /** A server refused this one: the next time another is asked for. */
  refused(token: string): void;
}

/** A token is replaced when so much of its time is left, or a fifth of it when that is less. */
const REFRESH_BEFORE_MS = 5 * 60_000;
/** For tokens of the Durable Task Scheduler. */
const AZURE_SCOPE = "https://durabletask.io/.default";

interface Held {
  readonly token: string;
  readonly refreshAt: number;
  readonly endsAt: number;
}

/**
 * A source of tokens.
 *
 * @example
 * const source = tokenSource(async () => ({ token: await fetchToken(), expiresAt: Date.now() + 3_600_000 }), systemClock);
 */
export function tokenSource(giver: TokenGiver, clock: Pick<Clock, "now">): TokenSource {
  if (typeof giver === "string") {
    checkToken(giver);
    return { current: () => Promise.resolve(giver), refused: () => undefined };
  }
  let held: Held | undefined;
  let fetching: Promise<Held> | undefined;

  const fetch = async (): Promise<Held> => {
    const given = await asked(giver);
    const now = clock.now();
    const token = typeof given === "string" ? given : given?.token;
    checkToken(token);
    const endsAt = typeof given === "string" ? Number.POSITIVE_INFINITY : Number(given.expiresAt);
    if (Number.isNaN(endsAt)) throw new InvalidArgumentError("The token has no expiresAt: give a Date, or milliseconds since 1970.");
    return { token, endsAt, refreshAt: endsAt - Math.min(REFRESH_BEFORE_MS, (endsAt - now) / 5) };
  };
  const refresh = (): Promise<Held> => {
    fetching ??= fetch()
      .then((fresh) => (held = fresh))
      .finally(() => (fetching = undefined));
    return fetching;
  };

  return {
    async current() {
      const kept = held;
      if (kept !== undefined && clock.now() < kept.refreshAt) return kept.token;
      try {
        return (await refresh()).token;
      } catch (error) {
        if (kept !== undefined && held === kept && clock.now() < kept.endsAt) return kept.token;
        throw error;
      }
    },
    refused(token) {
      if (held?.token === token) held = undefined;
    },
  };
}

/** What goes wrong in a giver's code is named, and not repeated: a message may hold a secret. */
async function asked(giver: () => Promise<string | Token>): Promise<string | Token> {
  try {
    return await giver();
  } catch (error) {
    throw new TokenUnavailable(error);
  }
}

/** No token could be had; it may be there the next time. */
export class TokenUnavailable extends Error {
  constructor(cause: unknown) {
    super(`No token could be had: the function that gives it threw ${cause instanceof Error ? cause.name : "something"}.`);
    this.name = "TokenUnavailable";
    // For a debugger; it is in no message, and neither enumerable nor logged as the cause.
    Object.defineProperty(this, "thrown", { value: cause, enumerable: false });
  }
}

function checkToken(token: unknown): asserts token is string {
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token))
    throw new InvalidArgumentError("A token must be a text of printable characters without spaces, that is not empty; got something else.");
}

// ---- Azure

/** The part of `@azure/identity` that is used, by the shape that it has. */
interface AzureCredential {
  getToken(scope: string): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>;
}

const CLASSES: Readonly<Record<AzureCredentialName, string>> = {
  DefaultAzure: "DefaultAzureCredential",
  ManagedIdentity: "ManagedIdentityCredential",
  WorkloadIdentity: "WorkloadIdentityCredential",
  Environment: "EnvironmentCredential",
  AzureCli: "AzureCliCredential",
  AzurePowerShell: "AzurePowerShellCredential",
  AzureDeveloperCli: "AzureDeveloperCliCredential",
  VisualStudioCode: "VisualStudioCodeCredential",
  InteractiveBrowser: "InteractiveBrowserCredential",
};

/** Imports `@azure/identity`. */
export type ImportAzure = () => Promise<Readonly<Record<string, unknown>>>;

// By a variable: the package is a choice of whoever uses it, and nothing here needs it to be there.
const AZURE_PACKAGE = "@azure/identity";
const importAzure: ImportAzure = async () => (await import(AZURE_PACKAGE)) as Readonly<Record<string, unknown>>;

/**
 * Gives tokens of a credential of Azure.
 *
 * @throws UnsupportedError when `@azure/identity` is not installed, or too old for this credential.
 */
export async function azureTokens(
  name: AzureCredentialName,
  options: AzureOptions,
  load: ImportAzure = importAzure,
): Promise<() => Promise<Token>> {
  let identity: Readonly<Record<string, unknown>>;
  try {
    identity = await load();
  } catch (error) {
    throw new UnsupportedError(
      `Authentication=${name} needs the package @azure/identity, which is not installed: npm install @azure/identity`,
      { cause: error },
    );
  }
  const Credential = identity[CLASSES[name]] as (new (options: object) => AzureCredential) | undefined;
  if (typeof Credential !== "function")
    throw new UnsupportedError(
      `Authentication=${name} needs ${CLASSES[name]} of @azure/identity, which the installed version does not have.`,
    );
  const credential = new Credential(azureOptions(name, options));
  return async () => {
    const given = await credential.getToken(AZURE_SCOPE);
    if (given === null) throw new Error(`${CLASSES[name]} gave no token`);
    return { token: given.token, expiresAt: given.expiresOnTimestamp };
  };
}

function azureOptions(name: AzureCredentialName, { clientId, tenantId, tokenFilePath }: AzureOptions): object {
  const options = { clientId, tenantId, tokenFilePath, ...(name === "DefaultAzure" ? { managedIdentityClientId: clientId } : {}) };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
