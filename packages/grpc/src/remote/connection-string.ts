// connection-string: where a remote task hub is, as its address says: `grpc://host:port?taskhub=name`, or a connection string.
//
// Owns:    both forms of an address, and what is said of one that cannot be read.
// Always:  AD1 pure; nothing is opened here.
//          AD2 no value of an address is repeated in an error, but hosts, names of keys and kinds of authentication: the rest may be secret.

import { InvalidArgumentError } from "ostinato";

/** How the caller shows who it is. */
export type Authentication =
  | { readonly kind: "none" }
  /** A credential of `@azure/identity`, by the word that connection strings have for it. */
  | { readonly kind: "azure"; readonly credential: AzureCredentialName; readonly options: AzureOptions };

/** The words of connection strings for credentials of Azure. */
export type AzureCredentialName =
  | "DefaultAzure"
  | "ManagedIdentity"
  | "WorkloadIdentity"
  | "Environment"
  | "AzureCli"
  | "AzurePowerShell"
  | "AzureDeveloperCli"
  | "VisualStudioCode"
  | "InteractiveBrowser";

/** What a connection string may say beside the kind of credential. */
export interface AzureOptions {
  readonly clientId?: string;
  readonly tenantId?: string;
  readonly tokenFilePath?: string;
}

/** Where a remote task hub is. */
export interface RemoteAddress {
  readonly host: string;
  readonly port: number;
  /** Whether the connection is encrypted. */
  readonly encrypted: boolean;
  /** Absent: whichever the server takes for the default. */
  readonly taskHub?: string;
  readonly authentication: Authentication;
}

/** The port that the family's servers listen on. */
const DEFAULT_PORT = 4001;

const CREDENTIALS: Readonly<Record<string, AzureCredentialName>> = {
  defaultazure: "DefaultAzure",
  managedidentity: "ManagedIdentity",
  workloadidentity: "WorkloadIdentity",
  environment: "Environment",
  azurecli: "AzureCli",
  azurepowershell: "AzurePowerShell",
  azuredevelopercli: "AzureDeveloperCli",
  visualstudiocode: "VisualStudioCode",
  interactivebrowser: "InteractiveBrowser",
};
const KNOWN_KINDS = ["None", ...new Set(Object.values(CREDENTIALS))].join(", ");

/** The keys of a connection string, in lower case, and how they are written. */
const KEYS: Readonly<Record<string, string>> = {
  endpoint: "Endpoint",
  taskhub: "TaskHub",
  authentication: "Authentication",
  clientid: "ClientID",
  tenantid: "TenantId",
  tokenfilepath: "TokenFilePath",
};

/**
 * Reads the address of a remote task hub.
 *
 * @throws InvalidArgumentError for what cannot be read, without repeating it.
 * @example
 * parseRemoteAddress("grpc://localhost:4001?taskhub=orders");
 * parseRemoteAddress("Endpoint=https://orders.example.net;TaskHub=orders;Authentication=DefaultAzure");
 */
export function parseRemoteAddress(address: string): RemoteAddress {
  return /^(grpcs?):/i.test(address) ? addressOfUrl(address) : addressOfConnectionString(address);
}

/**
 * Where a channel is opened to.
 *
 * @example hostAndPort({ host: "::1", port: 4001 }) === "[::1]:4001"
 */
export function hostAndPort({ host, port }: Pick<RemoteAddress, "host" | "port">): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

// ---- grpc://host:port?taskhub=name

function addressOfUrl(address: string): RemoteAddress {
  const encrypted = /^grpcs:/i.test(address);
  const scheme = encrypted ? "grpcs" : "grpc";
  const wanted = `write for example "${scheme}://localhost:4001" or "${scheme}://localhost:4001?taskhub=orders"`;
  const url = asUrl(address.replace(/^grpcs?:/i, "http:"));
  if (url === undefined || !/^grpcs?:\/\//i.test(address))
    throw new InvalidArgumentError(`The address of the task hub begins with "${scheme}:" and cannot be read: ${wanted}.`);
  if (url.username !== "" || url.password !== "")
    throw new InvalidArgumentError(
      `The address of the task hub at ${url.host} has a user or a password in it, which the protocol does not know: pass { remote: { token } } to openTaskHub.`,
    );
  if ((url.pathname !== "" && url.pathname !== "/") || url.hash !== "")
    throw new InvalidArgumentError(`The address of the task hub at ${url.host} has a path, which means nothing: ${wanted}.`);
  for (const name of url.searchParams.keys()) {
    if (name !== "taskhub")
      throw new InvalidArgumentError(`The address of the task hub at ${url.host} has a part "${name}"; only "?taskhub=name" is known.`);
  }
  const taskHub = url.searchParams.get("taskhub");
  if (taskHub === "") throw new InvalidArgumentError(`The address of the task hub at ${url.host} has an empty task hub name.`);
  return {
    host: hostOf(url),
    // Read as "http:", whose own port 80 is left out of what the URL says.
    port: url.port !== "" ? Number(url.port) : /:80(?:[/?#]|$)/.test(address) ? 80 : DEFAULT_PORT,
    encrypted,
    ...(taskHub === null ? {} : { taskHub }),
    authentication: { kind: "none" },
  };
}

// ---- Endpoint=...;TaskHub=...;Authentication=...

function addressOfConnectionString(text: string): RemoteAddress {
  const parts = partsOf(text);
  const endpoint = parts.get("endpoint");
  if (endpoint === undefined || endpoint === "")
    throw new InvalidArgumentError(
      'The connection string has no Endpoint. One looks like "Endpoint=https://name.example.net;TaskHub=orders;Authentication=DefaultAzure".',
    );
  const url = asUrl(/^[a-z][a-z0-9+.-]*:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`);
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:") || url.username !== "" || url.password !== "")
    throw new InvalidArgumentError(
      'The Endpoint of the connection string cannot be read: write "Endpoint=https://host" or "Endpoint=http://host:port".',
    );
  const taskHub = parts.get("taskhub");
  if (taskHub === undefined || taskHub === "")
    throw new InvalidArgumentError(`The connection string for ${url.host} has no TaskHub: write for example "TaskHub=orders".`);
  const encrypted = url.protocol === "https:";
  return {
    host: hostOf(url),
    port: url.port !== "" ? Number(url.port) : encrypted ? 443 : 80,
    encrypted,
    taskHub,
    authentication: authenticationOf(parts, url.host),
  };
}

function partsOf(text: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  for (const part of text.split(";")) {
    if (part.trim() === "") continue;
    const mark = part.indexOf("=");
    // What stands before the mark is a name; without one the part may be anything, a key for example, and is not repeated.
    if (mark < 0) throw new InvalidArgumentError('The connection string has a part without "=": it is made of "Key=value" and ";".');
    const written = part.slice(0, mark).trim();
    const key = written.toLowerCase();
    if (!Object.hasOwn(KEYS, key))
      throw new InvalidArgumentError(
        `The connection string has a key that is not known${/^[A-Za-z]{1,40}$/.test(written) ? `, '${written}'` : ""}; it has ${Object.values(KEYS).join(", ")}.`,
      );
    if (parts.has(key)) throw new InvalidArgumentError(`The connection string has '${KEYS[key]}' twice.`);
    parts.set(key, part.slice(mark + 1).trim());
  }
  return parts;
}

function authenticationOf(parts: ReadonlyMap<string, string>, host: string): Authentication {
  const kind = parts.get("authentication");
  if (kind === undefined || kind === "")
    throw new InvalidArgumentError(`The connection string for ${host} has no Authentication; it is one of ${KNOWN_KINDS}.`);
  if (kind.toLowerCase() === "none") return { kind: "none" };
  const credential = CREDENTIALS[kind.toLowerCase()];
  if (credential === undefined) {
    // A word is repeated; what looks like a key is not.
    const shown = /^[A-Za-z ]{1,40}$/.test(kind) ? ` '${kind}'` : "";
    throw new InvalidArgumentError(
      `The connection string for ${host} asks for the authentication${shown}, which is not known; it is one of ${KNOWN_KINDS}.`,
    );
  }
  const clientId = parts.get("clientid");
  const tenantId = parts.get("tenantid");
  const tokenFilePath = parts.get("tokenfilepath");
  return {
    kind: "azure",
    credential,
    options: {
      ...(clientId === undefined ? {} : { clientId }),
      ...(tenantId === undefined ? {} : { tenantId }),
      ...(tokenFilePath === undefined ? {} : { tokenFilePath }),
    },
  };
}

function asUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}
