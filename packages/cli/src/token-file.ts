// token-file: the tokens that a server accepts, one a line, in a file that only its owner reads.
//
// Always:  no token is ever part of a message; a line that makes no sense is named by its number.
import { readFile } from "node:fs/promises";
import type { Right, TokenGrant } from "@ostinato/grpc";
import { usageError } from "./exit-codes.ts";
import { plain } from "./print/escape.ts";

/** Reads the tokens: `<token>` or `sha256:<hash>`, then perhaps `hubs=a,b` and `rights=worker,client`; `#` begins a remark. */
export async function readTokens(file: string): Promise<readonly TokenGrant[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw usageError(`The token file cannot be read: ${plain((error as Error).message)}`);
  }
  const lines = text.split(/\r?\n/).map((line, index) => ({ line: line.replace(/(^|\s)#.*$/, "").trim(), number: index + 1 }));
  const tokens = lines.filter(({ line }) => line !== "").map(({ line, number }) => grantOf(line, number));
  if (tokens.length === 0) throw usageError(`The token file ${plain(file)} has no token: one a line, of at least 16 characters.`);
  return tokens;
}

function grantOf(line: string, number: number): TokenGrant {
  const [secret = "", ...rest] = line.split(/\s+/);
  const grant: { token?: string; sha256?: string; hubs?: string[]; rights?: Right[] } = {};
  if (secret.startsWith("sha256:")) grant.sha256 = secret.slice("sha256:".length);
  else grant.token = secret;
  for (const part of rest) {
    const [name, values = ""] = part.split("=", 2);
    const list = values.split(",").filter((each) => each !== "");
    if (name === "hubs") grant.hubs = list;
    // Which words there are is the server's to know.
    else if (name === "rights") grant.rights = list as Right[];
    else throw usageError(`Line ${number} of the token file has something that is neither hubs=... nor rights=....`);
  }
  return grant;
}
