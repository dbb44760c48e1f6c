// operations-on-hubs: the calls about a whole task hub, or about many instances whatever they are doing.
//
// Always:  OH1 emptying a hub goes by what the Backend can do anyway: everything that runs is terminated, then all is purged.

import { InstanceNotFoundError, InvalidArgumentError } from "ostinato";
import { isTerminal, type Backend } from "ostinato/contract";
import { meansEntity } from "../codec/entity-ids.ts";
import { replyWith } from "../codec/messages.ts";
import { WireError } from "../transport/wire-error.ts";
import type { Answer } from "./call-context.ts";

const MOST_IN_A_BATCH = 500;
const PAGE = 200;
/** An end needs no worker; only a turn that is being written may keep it waiting. */
const END_WITHIN_MS = 10_000;

/** A hub that is served is there. With `recreateIfExists` it is emptied. */
export const createTaskHub: Answer<"CreateTaskHub"> = async ({ recreateIfExists }, { hub, call, caller }) => {
  if (recreateIfExists) {
    hub.log.warn("a task hub is emptied: a caller recreates it", { hub: hub.name, peer: call.peer, caller: caller.name });
    await empty(hub.backend, call.signal);
  }
  return replyWith("CreateTaskHub");
};

/** Empties the hub. It goes on being served. */
export const deleteTaskHub: Answer<"DeleteTaskHub"> = async (_, { hub, call, caller }) => {
  hub.log.warn("a task hub is emptied: a caller deletes it", { hub: hub.name, peer: call.peer, caller: caller.name });
  await empty(hub.backend, call.signal);
  return replyWith("DeleteTaskHub");
};

/** Terminates without a worker, as every terminate is here, and waits for it; tells which ids were not there, had ended before or have not by then. */
export const skipGracefulTerminations: Answer<"SkipGracefulOrchestrationTerminations"> = async (
  { instanceBatch, reason },
  { hub, call },
) => {
  const ids = instanceBatch?.instanceIds ?? [];
  refuseLongBatch(ids);
  const told = new Set<string>();
  for (const id of ids) if (await terminated(hub.backend, id, reason)) told.add(id);
  const patience = new AbortController();
  const timer = hub.clock.setTimer(END_WITHIN_MS, () => patience.abort());
  const signal = AbortSignal.any([call.signal, patience.signal]);
  const ends = [...told].map(async (id) => {
    if ((await hub.backend.waitForCompletion(id, signal)) === undefined && (await isOpen(hub.backend, id))) told.delete(id);
  });
  await Promise.all(ends).finally(() => timer.cancel());
  return replyWith("SkipGracefulOrchestrationTerminations", { unterminatedInstanceIds: ids.filter((id) => !told.has(id)) });
};

/** A batch that clients of the family send has at most 500 ids. @throws InvalidArgumentError */
export function refuseLongBatch(ids: readonly string[]): void {
  if (ids.length > MOST_IN_A_BATCH) throw new InvalidArgumentError(`A batch may have ${MOST_IN_A_BATCH} ids; this one has ${ids.length}.`);
}

/** False when there is nothing to terminate. */
async function terminated(backend: Backend, instanceId: string, reason: string | undefined): Promise<boolean> {
  if (!(await isOpen(backend, instanceId))) return false;
  // The reason is a text, and an output is JSON.
  return tellEnd(backend, instanceId, reason === undefined || reason === "" ? undefined : JSON.stringify(reason));
}

async function isOpen(backend: Backend, instanceId: string): Promise<boolean> {
  if (meansEntity(instanceId)) return false;
  const found = await backend.get(instanceId);
  return found !== undefined && !isTerminal(found.record.status);
}

/** False when it has gone meanwhile. */
async function tellEnd(backend: Backend, instanceId: string, output?: string): Promise<boolean> {
  try {
    await backend.terminate({ instanceId, recursive: false, ...(output === undefined ? {} : { output }) });
    return true;
  } catch (error) {
    if (error instanceof InstanceNotFoundError) return false;
    throw error;
  }
}

async function empty(backend: Backend, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { items } = await backend.query({ status: ["PENDING", "RUNNING", "SUSPENDED"] }, { size: PAGE });
    if (items.length === 0) break;
    const ids = items.map(({ record }) => record.id);
    for (const id of ids) await tellEnd(backend, id);
    for (const id of ids) await backend.waitForCompletion(id, signal);
    if (signal.aborted) throw new WireError("CANCELLED", "The caller has gone; the task hub is empty in part.");
  }
  for (;;) {
    const { isComplete } = await backend.purgeMany({ target: { filter: {} }, recursive: true });
    if (isComplete) return;
  }
}
