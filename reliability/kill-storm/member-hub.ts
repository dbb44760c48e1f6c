// member-hub: the hub of a member, of the product's own parts: with a short lease, a label that the journal knows, and witnesses at both seams.
import { defaultConverter } from "ostinato";
import type { Hub } from "ostinato";
import { openPostgresStore } from "../../packages/ostinato/src/stores/postgres/postgres-store.ts";
import { createHub } from "../../packages/ostinato/src/hub/hub.ts";
import { limitsOf } from "../../packages/ostinato/src/hub/open-task-hub.ts";
import { createLocalBackend } from "../../packages/ostinato/src/local/local-backend.ts";
import { holdProcess, systemClock } from "../../packages/ostinato/src/platform/clock.ts";
import { systemRandom } from "../../packages/ostinato/src/platform/random.ts";
import { watchHandOuts } from "./hand-outs.ts";
import type { Note } from "./journal.ts";
import type { MemberOptions } from "./member.ts";
import { countedStore, witnessedBackend, type Answers } from "./witnessed.ts";

/** Claims that came to nothing until something is set aside: here processes die for a living, and nothing of it is anybody's poison. */
const MAX_CLAIMS = 100_000;

/** Opens the hub. */
export async function openMemberHub(
  { url, label, leaseMs }: MemberOptions,
  note: Note,
  answers: Answers,
  said: (level: string, message: string) => void,
): Promise<Hub> {
  const say =
    (level: string) =>
    (message: string, fields?: unknown): void =>
      said(level, fields === undefined ? message : `${message} ${JSON.stringify(fields, asText)}`);
  const log = { debug: () => undefined, info: () => undefined, warn: say("warn"), error: say("error") };
  const connectionString = `${url}?application_name=${encodeURIComponent(label)}`;
  const store = openPostgresStore({ connectionString, label });
  const backend = await createLocalBackend({
    store: watchHandOuts(countedStore(store, answers), (what, story) => {
      answers[what]++;
      if (what === "twice") said("error", `handed out twice: ${story}`);
    }),
    clock: systemClock,
    random: systemRandom,
    log,
    maxClaims: MAX_CLAIMS,
    leaseMs,
  });
  return createHub({
    backend: witnessedBackend(backend, label, note),
    converter: defaultConverter,
    limits: limitsOf(),
    clock: systemClock,
    random: systemRandom,
    log,
    processors: 2,
    hold: holdProcess,
  });
}

function asText(_key: string, value: unknown): unknown {
  return value instanceof Error ? `${value.name}: ${value.message}` : value;
}
