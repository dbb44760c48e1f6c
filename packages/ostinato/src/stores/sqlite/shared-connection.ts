// shared-connection: one connection per file and process, whoever asks for it.
//
// Owns:    gathering operations into groups, and bringing each answer to who asked.
// Always:  answers come in the order in which operations were asked for; after the last one has left, the file is let go.

import { InvalidArgumentError } from "../../contract/errors.ts";
import type { Instant } from "../../contract/instant.ts";
import { ColumnReader } from "../sql/read-rows.ts";
import type { Column } from "../sql/rows.ts";
import { openAuto } from "./auto-body.ts";
import { openInline, openThread } from "./bodies.ts";
import type { Body, BodyKind, BodyListener } from "./bodies.ts";
import type { ConnectionOptions } from "./connection.ts";
import { FAILED, pushOperation } from "./wire.ts";
import type { Wire } from "./wire.ts";

/** What a group told beside its answers. */
export interface Hint {
  readonly ready: boolean;
  readonly dueAt: Instant | undefined;
  /** Hub and id, in turns. */
  readonly ended: readonly Column[];
}

/** Who asked for an operation. */
export interface Asker {
  /** The reader stands behind the answer's code and must be moved to its end. */
  onAnswer(code: number, from: ColumnReader, at: Instant): void;
  onFailure(message: string): void;
  onLost(error: Error): void;
}

/** A connection that several stores share. */
export interface SharedConnection {
  ask(code: number, owner: number, write: (to: Wire) => void, asker: Asker): void;
  watch(onHint: (hint: Hint) => void): () => void;
  leave(): Promise<void>;
}

interface Entry {
  readonly body: BodyKind;
  readonly readOnly: boolean;
  readonly opened: Promise<{ readonly ask: SharedConnection["ask"]; readonly hints: Set<(hint: Hint) => void>; close(): Promise<void> }>;
  users: number;
}

/** The files that this process holds. By file and not by store, since the lock on a file is the process's. */
const held = new Map<string, Entry>();

/** Joins the connection to a file, or opens it. */
export async function joinConnection(options: ConnectionOptions, body: BodyKind): Promise<SharedConnection> {
  const key = options.readOnly ? `read-only:${options.path}` : options.path;
  let entry = held.get(key);
  if (entry !== undefined && entry.body !== body) {
    throw new InvalidArgumentError(
      `${options.path} is open in this process already with body "${entry.body}"; open it with the same body.`,
    );
  }
  if (entry === undefined) {
    entry = { body, readOnly: options.readOnly, opened: open(options, body), users: 0 };
    held.set(key, entry);
  }
  const joined = entry;
  joined.users++;
  const leave = async (): Promise<void> => {
    if (--joined.users > 0) return;
    if (held.get(key) === joined) held.delete(key);
    await (await joined.opened).close();
  };
  try {
    const { ask, hints } = await joined.opened;
    return {
      ask,
      watch(onHint) {
        hints.add(onHint);
        return () => void hints.delete(onHint);
      },
      leave,
    };
  } catch (error) {
    joined.users--;
    if (held.get(key) === joined) held.delete(key);
    throw error;
  }
}

const BODIES: { readonly [K in BodyKind]: (options: ConnectionOptions, listener: BodyListener) => Promise<Body> } = {
  auto: openAuto,
  inline: openInline,
  thread: openThread,
};

async function open(options: ConnectionOptions, kind: BodyKind): ReturnType<typeof gatherer> {
  return gatherer((listener) => BODIES[kind](options, listener));
}

async function gatherer(openBody: (listener: { onReply(reply: Wire): void; onLost(error: Error): void }) => Promise<Body>) {
  const hints = new Set<(hint: Hint) => void>();
  let group: Wire = [];
  let askers: Asker[] = [];
  const out: Asker[][] = [];
  let firstOut = 0;

  const body = await openBody({
    onReply(reply) {
      const waiting = out[firstOut] ?? [];
      firstOut++;
      if (firstOut === out.length) {
        out.length = 0;
        firstOut = 0;
      }
      const from = new ColumnReader(reply);
      const at = from.number();
      const hint: Hint = { ready: from.number() === 1, dueAt: from.numberOrNone(), ended: endedIn(from) };
      if (hint.ready || hint.dueAt !== undefined || hint.ended.length > 0) for (const onHint of hints) onHint(hint);
      for (const asker of waiting) {
        const code = from.number();
        if (code === FAILED) asker.onFailure(from.text());
        else asker.onAnswer(code, from, at);
      }
    },
    onLost(error) {
      const waiting = [...out.slice(firstOut).flat(), ...askers];
      out.length = 0;
      firstOut = 0;
      group = [];
      askers = [];
      for (const asker of waiting) asker.onLost(error);
    },
  });

  let gathering = false;
  function flush(): void {
    gathering = false;
    send();
  }
  function send(): void {
    if (askers.length === 0) return;
    const full = group;
    out.push(askers);
    group = [];
    askers = [];
    body.send(full);
  }

  return {
    hints,
    ask(code: number, owner: number, write: (to: Wire) => void, asker: Asker): void {
      pushOperation(group, code, owner, write);
      askers.push(asker);
      if (askers.length >= body.enough) send();
      else if (!gathering) {
        gathering = true;
        body.gather(flush);
      }
    },
    async close(): Promise<void> {
      send();
      await body.close();
    },
  };
}

function endedIn(from: ColumnReader): readonly Column[] {
  const count = from.number();
  if (count === 0) return NONE;
  const ended = from.columns.slice(from.position, from.position + count);
  from.position += count;
  return ended;
}

const NONE: readonly Column[] = [];
