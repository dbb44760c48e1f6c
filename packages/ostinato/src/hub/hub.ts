// hub: a task hub, as a program holds it: client and worker over one Backend.
//
// Owns:    the hub's life: what is open, and that closing it stops what it started.
// Is told: a Backend, never which.
// Always:  H1 an open hub alone holds no process; a started worker and a wait do.
//          H2 after `close` every operation is refused with HubClosedError; closing twice is closing once.
//          H3 no signal handlers: when to stop is the user's decision.

import type { Backend } from "../contract/backend.ts";
import type { BackupOptions, FileOperations, HubSizes, IntegrityFinding } from "../contract/maintenance.ts";
import { UnsupportedError } from "../contract/errors.ts";
import { createClient, type Client, type ClientWorld } from "../client/client.ts";
import { untilClosed } from "../client/orchestration-handle.ts";
import { exportHistories, type ExportOptions, type HistoryWriter } from "../history/export-histories.ts";
import { historiesOf, type HistorySource } from "../history/hub-histories.ts";
import { madeOf } from "./parts-of.ts";
import { startWorker, type StopOptions, type Worker, type WorkerOptions, type WorkerWorld } from "../worker/worker.ts";

/**
 * An open task hub.
 *
 * @example
 * const hub = await openTaskHub("sqlite:orders.db");
 * const worker = await hub.startWorker({ orchestrators: [purchaseOrder], activities: [placeOrder] });
 * const instance = await hub.start(purchaseOrder, order);
 * console.log(await instance.result());
 * await worker.stop();
 * await hub.close();
 */
export interface Hub extends Client, HistorySource, AsyncDisposable {
  /**
   * Starts a worker, which runs these definitions until it is stopped. It holds the process.
   *
   * @example
   * const worker = await hub.startWorker({ orchestrators: [greet], activities: [hello], concurrency: { activities: 20 } });
   */
  startWorker(options: WorkerOptions): Promise<Worker>;
  /**
   * Writes the histories of instances, one file for each: finished instances, unless `query.status` says otherwise. How many were written.
   *
   * @throws the writer's error, or the signal's reason; what was written stays.
   * @example
   * const { exported } = await hub.exportHistories(historyFiles("./histories"), { query: { name: "purchaseOrder" } });
   */
  exportHistories(writer: HistoryWriter, options?: ExportOptions): Promise<{ readonly exported: number }>;
  /**
   * Writes a copy of the hub's file, of this moment, while everybody goes on working. It is one file, readable by its owner alone, that appears
   * under its name when it is whole. Nothing is written over. `restoreTaskHub` of `ostinato/sqlite` makes a hub of it again.
   *
   * @throws InvalidStateError when `path` is there already; StoreUnavailableError when it cannot be written; UnsupportedError where the hub is no file.
   * @example
   * await hub.backup("backups/orders-friday.db", { onProgress: ({ remainingBytes }) => console.log(remainingBytes) });
   */
  backup(path: string, options?: BackupOptions): Promise<void>;
  /**
   * How large the hub's file or database is and what is in it. Reads no payloads and no histories; counting takes a moment where there are millions
   * of rows, and nobody waits for it. In a database what would take long is estimated, and `estimated` says what was.
   *
   * @throws UnsupportedError where the hub is in memory or at a server.
   * @example
   * const { fileBytes, freeBytes, instances } = await hub.sizes();
   * console.log(fileBytes - freeBytes, instances.RUNNING);
   */
  sizes(): Promise<HubSizes>;
  /**
   * Reads the whole file and says what is wrong with it, with the instances concerned; nothing, when it is sound. Runs beside everything else.
   *
   * @throws UnsupportedError where the hub is no file.
   * @example
   * for (const finding of await hub.checkIntegrity()) console.error(finding.kind, finding.instanceId, finding.message);
   */
  checkIntegrity(): Promise<readonly IntegrityFinding[]>;
  /**
   * What was counted since the hub was opened: turns, drops, refusals.
   *
   * @example
   * const { turnsCommitted } = hub.counters();
   */
  counters(): Readonly<Record<string, number>>;
  /**
   * Stops the workers that still run, then closes the hub. Waits end with HubClosedError.
   *
   * @example
   * await hub.close();
   */
  close(): Promise<void>;
}

/** What a hub is made of. */
export interface HubParts extends Omit<ClientWorld, "backend" | "payloadBytes">, Omit<WorkerWorld, "backend"> {
  readonly backend: Backend;
  /** Opened to look only: there is nothing to do for a worker. */
  readonly readOnly?: boolean;
}

/** A hub over a backend. */
export function createHub(parts: HubParts): Hub {
  const workers = new Set<Worker>();
  let closed: Promise<void> | undefined;
  const backend = untilClosed(parts.backend, () => closed !== undefined);
  const client = createClient({ ...parts, backend, payloadBytes: parts.limits.payloadBytes });
  const histories = { ...parts, backend };

  const shut = async (): Promise<void> => {
    await Promise.all([...workers].map((worker) => worker.stop()));
    await parts.backend.close();
  };
  const close = (): Promise<void> => (closed ??= shut());

  const hub: Hub = {
    ...client,
    histories: (query) => historiesOf(histories, query),
    exportHistories: (writer, options) => exportHistories(histories, writer, options),
    async startWorker(options) {
      if (parts.readOnly === true)
        throw new UnsupportedError("This task hub was opened to read, so no worker can run on it. Open it without { readOnly: true }.");
      const worker = await startWorker({ ...parts, backend: backend() }, options);
      workers.add(worker);
      const stop = async (stopOptions?: StopOptions): Promise<void> => {
        await worker.stop(stopOptions);
        workers.delete(worker);
      };
      return { counters: () => worker.counters(), stop, [Symbol.asyncDispose]: () => stop() };
    },
    backup: async (path, options) => fileOf(backend()).backup(path, options),
    sizes: async () => sizesOf(backend()),
    checkIntegrity: async () => fileOf(backend()).checkIntegrity(),
    counters() {
      const all: Record<string, number> = { ...parts.backend.counters() };
      for (const worker of workers) for (const [name, count] of Object.entries(worker.counters())) all[name] = (all[name] ?? 0) + count;
      return all;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return madeOf(hub, parts);
}

function fileOf(backend: Backend): FileOperations {
  if (backend.file !== undefined) return backend.file;
  throw new UnsupportedError(
    'This task hub is no file, so there is none to copy or check. A hub of "sqlite:orders.db" has one; of one in PostgreSQL the server makes copies (pg_dump, or archiving).',
  );
}

async function sizesOf(backend: Backend): Promise<HubSizes> {
  if (backend.sizes !== undefined) return backend.sizes();
  throw new UnsupportedError(
    'This task hub has nothing to measure here: it is in memory, or its file is a server\'s. One of "sqlite:orders.db" or "postgres://host/database" tells its sizes.',
  );
}
