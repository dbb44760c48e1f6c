// witnessed: a backend whose client operations leave a line before and a line after them; a store that counts what it refused.
import type { Backend } from "../../packages/ostinato/src/contract/backend.ts";
import type { Store } from "../../packages/ostinato/src/engine/store.ts";
import type { Request } from "../checker/journal.ts";
import type { Note } from "./journal.ts";

/** A backend that tells what its clients ask for, and what they are told. */
export function witnessedBackend(backend: Backend, by: string, note: Note): Backend {
  let calls = 0;
  const asked = async <T>(
    op: string,
    instanceId: string,
    what: Request | undefined,
    ask: () => Promise<T>,
    told?: (value: T) => unknown,
  ): Promise<T> => {
    const call = `${by}.${++calls}`;
    note({ kind: "invoke", call, instanceId, op, ...(what === undefined ? {} : { what }) });
    try {
      const value = await ask();
      const shown = told?.(value);
      note({ kind: "ok", call, ...(shown === undefined ? {} : { value: shown }) });
      return value;
    } catch (error) {
      const { code = "?", message } = error as Error & { code?: string };
      note({ kind: "fail", call, code, message });
      throw error;
    }
  };
  const withInput = (input: string | undefined): Pick<Request, "input"> => (input === undefined ? {} : { input });
  return {
    ...backend,
    start: (request) => asked("start", request.instanceId, { token: request.executionId }, () => backend.start(request)),
    raiseEvent: (request) => {
      const { instanceId, messageId, name: event, input } = request;
      return asked("raise", instanceId, { messageId, event, ...withInput(input) }, () => backend.raiseEvent(request));
    },
    signalEntity(request) {
      const { entityId, requestId, operation, input, scheduledAt } = request;
      const later = scheduledAt === undefined ? {} : { notBefore: scheduledAt };
      return asked("signal", entityId, { requestId, operation, ...withInput(input), ...later }, () => backend.signalEntity(request));
    },
    terminate: (request) => asked("terminate", request.instanceId, { recursive: request.recursive }, () => backend.terminate(request)),
    suspend: (id, reason) => asked("suspend", id, undefined, () => backend.suspend(id, reason)),
    resume: (id, reason) => asked("resume", id, undefined, () => backend.resume(id, reason)),
    purge: (request) =>
      asked(
        "purge",
        request.instanceId,
        { recursive: request.recursive },
        () => backend.purge(request),
        (count) => count,
      ),
    get: (id) =>
      asked(
        "get",
        id,
        undefined,
        () => backend.get(id),
        (found) => {
          if (found === undefined) return null;
          const { number, status, generation, turn } = found.record;
          return { number, status, generation, turn };
        },
      ),
  };
}

/** What a store has answered to commits. */
export interface Answers {
  /** Refused, since somebody else had written or claimed meanwhile. */
  refused: number;
  written: number;
  /** Commits that came to an error: nobody knows what became of them. */
  unknown: number;
  /** Messages that were handed out while they were out; and such as had been consumed already. */
  twice: number;
  stale: number;
}

/** Nothing yet. */
export const noAnswers = (): Answers => ({ refused: 0, written: 0, unknown: 0, twice: 0, stale: 0 });

/** A store that counts its answers to commits. */
export function countedStore(store: Store, answers: Answers): Store {
  return {
    ...store,
    async commit(batch) {
      try {
        const results = await store.commit(batch);
        results.forEach((result, at) => {
          if (result.ok) answers.written++;
          // A purge that finds that somebody else has purged is no commit of work that was lost.
          else if (result.why === "fenced" && batch[at]?.drop !== "everything") answers.refused++;
        });
        return results;
      } catch (error) {
        answers.unknown += batch.length;
        throw error;
      }
    },
  };
}
