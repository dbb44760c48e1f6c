// exposure: whether a server may be reached from where it wants to be.
//
// Always:  EX1 who can be reached over a network is encrypted and asks for tokens, or its owner has said in so many words that it need not.

import { InvalidArgumentError } from "ostinato";
import { isLoopback } from "../loopback.ts";

/** What a server is about to do. */
export interface Exposure {
  readonly host: string;
  readonly hasTls: boolean;
  readonly hasTokens: boolean;
  /** Its owner has said so. */
  readonly isAllowed: boolean;
}

/** @throws InvalidArgumentError unless the host is this machine alone, or there are TLS and tokens, or its owner insists. */
export function refuseExposure({ host, hasTls, hasTokens, isAllowed }: Exposure): void {
  if (isLoopback(host) || isAllowed || (hasTls && hasTokens)) return;
  const missing = [...(hasTls ? [] : ["TLS (tls: { certFile, keyFile })"]), ...(hasTokens ? [] : ["token (tokens: [{ sha256 }])"])];
  throw new InvalidArgumentError(
    `'${host}' can be reached from other machines, and there is no ${missing.join(" and no ")}: whoever gets there could read and change everything. ` +
      "Add what is missing, listen on 127.0.0.1, or, where the network itself keeps everybody out, set dangerouslyAllowUnauthenticatedNetworkAccess.",
  );
}
