// observed-backend: a backend that tells what is under way with its workers.
//
// Always:  a work item is under way from when it is handed out until its outcome is taken.

import type { Backend, WorkerConnection } from "../contract/backend.ts";
import type { WorkItem, WorkToken } from "../contract/work-items.ts";
import type { Doing, Quiet } from "./quiet.ts";

/** A backend over another one, whose work items are counted; `end` is when its process has died: nothing of it is under way then. */
export function observedBackend(backend: Backend, quiet: Quiet): { readonly backend: Backend; readonly end: () => void } {
  const out = new Map<WorkToken, Doing>();
  const done = (token: WorkToken): void => {
    out.get(token)?.done();
    out.delete(token);
  };
  const handedOut = (items: readonly WorkItem[]): void => {
    for (const item of items) {
      if (item.kind === "orchestration") out.set(item.token, quiet.begin("turn"));
      if (item.kind === "activity") out.set(item.token, quiet.begin("activity"));
      if (item.kind === "entity") out.set(item.token, quiet.begin("entity"));
    }
  };
  let ended = false;
  const end = (): void => {
    ended = true;
    for (const token of [...out.keys()]) done(token);
  };

  const observed: Backend = {
    start: (request) => backend.start(request),
    get: (id) => backend.get(id),
    waitForStart: (id, signal) => backend.waitForStart(id, signal),
    waitForCompletion: (id, signal) => backend.waitForCompletion(id, signal),
    raiseEvent: (request) => backend.raiseEvent(request),
    terminate: (request) => backend.terminate(request),
    suspend: (id, reason) => backend.suspend(id, reason),
    resume: (id, reason) => backend.resume(id, reason),
    restart: (request) => backend.restart(request),
    rewind: (request) => backend.rewind(request),
    purge: (request) => backend.purge(request),
    purgeMany: (request) => backend.purgeMany(request),
    listIds: (request, page) => backend.listIds(request, page),
    query: (filter, page) => backend.query(filter, page),
    signalEntity: (request) => backend.signalEntity(request),
    getEntity: (id, includeState) => backend.getEntity(id, includeState),
    queryEntities: (filter, page) => backend.queryEntities(filter, page),
    cleanEntityStorage: (request) => backend.cleanEntityStorage(request),
    history: (id) => backend.history(id),
    counters: () => backend.counters(),
    close: () => backend.close(),
    async connectWorker(interest, deliver) {
      const connection = await backend.connectWorker(interest, (items) => {
        // What it had read when it died comes to nobody: it would be under way for ever.
        if (ended) return;
        handedOut(items);
        deliver(items);
      });
      const told = async (token: WorkToken, taken: Promise<void>): Promise<void> => {
        try {
          await taken;
        } finally {
          done(token);
        }
      };
      const line: WorkerConnection = {
        completeOrchestration(outcome) {
          if (outcome.kind === "turn") quiet.achieve();
          return told(outcome.token, connection.completeOrchestration(outcome));
        },
        completeActivity(outcome) {
          if (outcome.kind !== "abandoned") quiet.achieve();
          return told(outcome.token, connection.completeActivity(outcome));
        },
        completeEntity(outcome) {
          if (outcome.kind === "batch") quiet.achieve();
          return told(outcome.token, connection.completeEntity(outcome));
        },
        stopTaking: () => connection.stopTaking(),
        // A dead process answers nobody: its worker has nobody to wait for.
        close: async () => {
          if (!ended) await connection.close();
        },
      };
      return line;
    },
  };
  return { backend: observed, end };
}
