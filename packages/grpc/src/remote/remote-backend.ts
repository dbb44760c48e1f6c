// remote-backend: a Backend whose task hub is somewhere else: the first seam, spoken over the Durable Task protocol.
//
// Owns:    the line to the server, shared by clients and workers.
// Is told: a channel, and the world.
// Tells:   the server.
// Always:  RB1 clients and workers run on it unchanged: what a server of the family does not have is made up for here, or refused by name.
//          RB2 nothing holds the process but waits and started workers.

import { InvalidArgumentError } from "ostinato";
import type { Backend, Clock, Logger, Random, WorkerConnection } from "ostinato/contract";
import type { Channel, Metadata } from "../transport/transport.ts";
import { clientOperations } from "./client-operations.ts";
import { createCounters } from "./counters.ts";
import type { TokenSource } from "./credentials.ts";
import { createLink } from "./link.ts";
import { connectWorker } from "./worker-line.ts";

/** What a remote backend is made of, beside its channel. */
export interface RemoteParts {
  /** How the server is called in errors and log lines. */
  readonly where: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Goes with every call: `taskhub`, for example. */
  readonly metadata?: Metadata;
  /** Goes with every call of a worker beside that: `workerid`, for example. */
  readonly workerMetadata?: Metadata;
  readonly token?: TokenSource;
}

/**
 * A Backend over a channel to a server of the protocol: one of ours, or any of the family's. Nothing is sent before something is asked.
 *
 * @example
 * const backend = remoteBackend(openChannel("localhost:4001"), { where: "localhost:4001", clock: systemClock, random: systemRandom, log: silentLogger });
 */
export function remoteBackend(channel: Channel, parts: RemoteParts): Backend {
  const counters = createCounters();
  const world = { ...parts, counters };
  const link = createLink(channel, world);
  const lines = new Set<WorkerConnection>();
  let closed: Promise<void> | undefined;

  const close = async (): Promise<void> => {
    await Promise.all([...lines].map((line) => line.close()));
    await link.close();
  };

  return {
    ...clientOperations(link, world),
    async connectWorker(interest, deliver) {
      const { maxConcurrentOrchestrations: turns, maxConcurrentActivities: activities, maxConcurrentEntities: batches } = interest;
      if (turns < 1 && activities < 1 && batches < 1)
        throw new InvalidArgumentError(
          "A worker without room for a turn, an activity or a batch of an entity cannot be told from one without limits. Give it some.",
        );
      const extra = parts.workerMetadata === undefined ? {} : { metadata: parts.workerMetadata };
      const line = await connectWorker(link, world, extra, interest, deliver);
      lines.add(line);
      return {
        ...line,
        async close() {
          lines.delete(line);
          await line.close();
        },
      };
    },
    counters: () => counters.all(),
    close: () => (closed ??= close()),
  };
}
