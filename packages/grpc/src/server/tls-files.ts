// tls-files: the files that a TLS server shows and trusts.
//
// Always:  TL1 what cannot be read or is not there is said by its option and its path; nothing of a key is ever in a message.

import { given } from "ostinato/contract";
import { readFile } from "node:fs/promises";
import { InvalidArgumentError } from "ostinato";
import type { TlsIdentity } from "../transport/listen.ts";

/**
 * TLS by files in PEM form, read when the server starts and at each `reloadTls()`.
 *
 * @example
 * const tls: TlsFiles = { certFile: "server.pem", keyFile: "server-key.pem", clientCaFile: "workers-ca.pem" };
 */
export interface TlsFiles {
  /** The certificate, with the chain behind it. */
  readonly certFile: string;
  readonly keyFile: string;
  /** With it each caller has to show a certificate that this authority has signed. */
  readonly clientCaFile?: string;
  /** The certificates of callers that this authority has revoked. */
  readonly clientCrlFile?: string;
}

/** Reads the files. @throws InvalidArgumentError for one that cannot be read. */
export async function readTls({ certFile, keyFile, clientCaFile, clientCrlFile }: TlsFiles): Promise<TlsIdentity> {
  const [cert, key, clientCa, clientCrl] = await Promise.all([
    read(certFile, "tls.certFile"),
    read(keyFile, "tls.keyFile"),
    clientCaFile === undefined ? undefined : read(clientCaFile, "tls.clientCaFile"),
    clientCrlFile === undefined ? undefined : read(clientCrlFile, "tls.clientCrlFile"),
  ]);
  return { cert, key, ...given({ clientCa, clientCrl }) };
}

async function read(file: string, option: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new InvalidArgumentError(`${option} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
