// integrity: reads the whole file and says what is wrong with it.
import type { IntegrityFinding } from "ostinato/sqlite";
import { reading } from "../connect.ts";
import { EXIT } from "../exit-codes.ts";
import { plain } from "../print/escape.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";

/** Checks the file. */
export async function integrity(session: Session): Promise<number> {
  return tellFindings(session, await reading(session, (hub) => hub.checkIntegrity()));
}

/** Prints findings: with --json one on each line. The exit code says whether there are any. */
export async function tellFindings(session: Session, findings: readonly IntegrityFinding[]): Promise<number> {
  for (const finding of findings) {
    const { kind, instanceId, message } = finding;
    const whose = instanceId === undefined ? "" : ` of instance ${quoted(instanceId)}`;
    await (session.json ? session.tell(finding) : session.say(session.paint.bad(`${kind}${whose}: ${plain(message)}`)));
  }
  if (findings.length === 0 && !session.json) await session.say("The file is sound.");
  return findings.length === 0 ? EXIT.ok : EXIT.no;
}
