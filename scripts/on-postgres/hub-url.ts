// hub-url: what "memory:" leads to while the tests run on PostgreSQL (preload.ts).
import { randomUUID } from "node:crypto";
import { parseHubUrl as parseAsEver } from "../../packages/ostinato/src/hub/hub-url.ts";
import type { HubAddress } from "../../packages/ostinato/src/hub/hub-url.ts";

/** Reads a URL as ever, but that a hub in memory is a new one in the database of this run. */
export function parseHubUrl(url: string | undefined): HubAddress {
  const address = parseAsEver(url);
  if (address.scheme !== "memory") return address;
  return parseAsEver(`${process.env["OSTINATO_TEST_DATABASE"] ?? ""}?hub=${randomUUID()}`);
}
