// surviving-backend: a caller's line that outlives the process it speaks to.
//
// Always:  an operation that a death cut short is asked again of the next life, as a caller over a network would: the ids that it carries
//          make a repetition the same request.

import type { Backend, ClientOperations } from "../contract/backend.ts";
import { ResultTimeoutError, UnsupportedError } from "../contract/errors.ts";
import type { InstanceId } from "../contract/ids.ts";
import type { ProcessLife } from "./process-life.ts";

/** What a caller's line needs to know. */
export interface Lives {
  /** The life of now; waits while one begins. */
  current(): Promise<ProcessLife>;
  /** Called when a wait begins; the returned function when it ends. `stuck` is called when nothing will ever end it. */
  waiting(stuck: () => void): () => void;
  close(): Promise<void>;
}

const DIED = Symbol("died");
const STUCK = Symbol("stuck");

/** A backend that speaks to whatever life there is. */
export function survivingBackend(lives: Lives): Backend {
  const ask = async <T>(operation: (backend: ClientOperations) => Promise<T>): Promise<T> => {
    for (;;) {
      const life = await lives.current();
      const answer = await Promise.race([operation(life.backend), life.death.then((): typeof DIED => DIED)]);
      if (answer !== DIED) return answer;
    }
  };
  const wait = async <T>(id: InstanceId, operation: (backend: ClientOperations) => Promise<T>): Promise<T> => {
    let stuck: () => void = () => undefined;
    const nothing = new Promise<typeof STUCK>((resolve) => (stuck = () => resolve(STUCK)));
    const stop = lives.waiting(() => stuck());
    try {
      const answer = await Promise.race([ask(operation), nothing]);
      if (answer !== STUCK) return answer;
    } finally {
      stop();
    }
    const now = await ask((backend) => backend.get(id));
    const state = now === undefined ? "It is gone." : `It is ${now.record.status} and waits for: ${now.waitingFor.join("; ")}.`;
    throw new ResultTimeoutError(
      `Nothing more will happen to the instance '${id}' in this test: nothing is under way, and no timer is due. ${state}`,
    );
  };

  return {
    start: (request) => ask((backend) => backend.start(request)),
    get: (id) => ask((backend) => backend.get(id)),
    waitForStart: (id, signal) => wait(id, (backend) => backend.waitForStart(id, signal)),
    waitForCompletion: (id, signal) => wait(id, (backend) => backend.waitForCompletion(id, signal)),
    raiseEvent: (request) => ask((backend) => backend.raiseEvent(request)),
    terminate: (request) => ask((backend) => backend.terminate(request)),
    suspend: (id, reason) => ask((backend) => backend.suspend(id, reason)),
    resume: (id, reason) => ask((backend) => backend.resume(id, reason)),
    restart: (request) => ask((backend) => backend.restart(request)),
    rewind: (request) => ask((backend) => backend.rewind(request)),
    purge: (request) => ask((backend) => backend.purge(request)),
    purgeMany: (request) => ask((backend) => backend.purgeMany(request)),
    listIds: (request, page) => ask((backend) => backend.listIds(request, page)),
    query: (filter, page) => ask((backend) => backend.query(filter, page)),
    signalEntity: (request) => ask((backend) => backend.signalEntity(request)),
    getEntity: (id, includeState) => ask((backend) => backend.getEntity(id, includeState)),
    queryEntities: (filter, page) => ask((backend) => backend.queryEntities(filter, page)),
    cleanEntityStorage: (request) => ask((backend) => backend.cleanEntityStorage(request)),
    async *history(id) {
      const life = await lives.current();
      yield* life.backend.history(id);
    },
    counters: () => ({}),
    connectWorker: () => Promise.reject(new UnsupportedError("The workers of a test hub belong to its lives.")),
    close: () => lives.close(),
  };
}
