// access: who may call what.
//
// Owns:    the rights, and which of them each call, and each command inside of a completion, asks for.
// Is told: a caller, and what it wants.
// Always:  AC1 what has no entry here is refused; the compiler asks for an entry for each call and each kind of action.
//          AC2 one of the rights of an entry is enough; none includes another.

import type { Action, ActionKind, EntityAction, EntitySnapshot, StoredInstance } from "ostinato/contract";
import type { MethodName } from "../codec/messages.ts";

/**
 * What a caller may be allowed:
 *
 * - `"view"`: to read what is known of instances and entities, without payloads
 * - `"payloads"`: to read all of it, histories too
 * - `"client"`: to start instances, raise events, signal entities, and read instances and entities with their payloads
 * - `"control"`: to terminate, suspend, resume, rewind and restart
 * - `"worker"`: to take work and answer it
 * - `"operator"`: everything but a worker's work and an administrator's
 * - `"admin"`: what an operator may, and to empty a task hub
 */
export type Right = "view" | "payloads" | "client" | "control" | "worker" | "operator" | "admin";

/** All rights. */
export const RIGHTS: readonly Right[] = ["view", "payloads", "client", "control", "worker", "operator", "admin"];

/** What a token may that says nothing of rights: everything but emptying a task hub. */
export const USUAL_RIGHTS: readonly Right[] = ["client", "control", "worker", "operator"];

/** Who is calling. */
export interface Caller {
  /** Names it in log lines and keeps callers apart; no secret. */
  readonly name: string;
  readonly rights: ReadonlySet<Right>;
  readonly hubs: ReadonlySet<string> | "any";
}

const ANYBODY = RIGHTS;
const START: readonly Right[] = ["client", "operator", "admin"];
const READ: readonly Right[] = ["view", "payloads", "client", "operator", "admin"];
const READ_PAYLOADS: readonly Right[] = ["payloads", "client", "operator", "admin"];
const READ_HISTORY: readonly Right[] = ["payloads", "operator", "admin"];
const CONTROL: readonly Right[] = ["control", "operator", "admin"];
const REMOVE: readonly Right[] = ["operator", "admin"];
const WORK: readonly Right[] = ["worker"];
const ADMIN: readonly Right[] = ["admin"];

/** Which rights allow a call. */
export const CALL_RIGHTS: { readonly [M in MethodName]: readonly Right[] } = {
  Hello: ANYBODY,
  StartInstance: START,
  RaiseEvent: START,
  SignalEntity: START,
  GetInstance: READ,
  WaitForInstanceStart: READ,
  WaitForInstanceCompletion: READ,
  QueryInstances: READ,
  ListInstanceIds: READ,
  GetEntity: READ,
  QueryEntities: READ,
  // A worker may read the past of what it was handed, and that alone (mayReadHistory).
  StreamInstanceHistory: [...READ_HISTORY, ...WORK],
  TerminateInstance: CONTROL,
  SuspendInstance: CONTROL,
  ResumeInstance: CONTROL,
  RewindInstance: CONTROL,
  RestartInstance: CONTROL,
  PurgeInstances: REMOVE,
  CleanEntityStorage: REMOVE,
  SkipGracefulOrchestrationTerminations: REMOVE,
  GetWorkItems: WORK,
  CompleteOrchestratorTask: WORK,
  CompleteActivityTask: WORK,
  CompleteEntityTask: WORK,
  AbandonTaskOrchestratorWorkItem: WORK,
  AbandonTaskActivityWorkItem: WORK,
  AbandonTaskEntityWorkItem: WORK,
  CreateTaskHub: ADMIN,
  DeleteTaskHub: ADMIN,
};

/** Which rights allow a command inside of a completion. All of them stay in the hub whose turn it was. */
export const ACTION_RIGHTS: { readonly [K in ActionKind]: readonly Right[] } = {
  scheduleTask: WORK,
  createSubOrchestration: WORK,
  createTimer: WORK,
  cancelTimer: WORK,
  sendEvent: WORK,
  signalEntity: WORK,
  callEntity: WORK,
  lockEntities: WORK,
  unlockEntity: WORK,
  terminateOrchestration: WORK,
  rewindOrchestration: WORK,
  completeOrchestration: WORK,
};

/** The same for what operations of entities ask for. */
export const ENTITY_ACTION_RIGHTS: { readonly [K in EntityAction["kind"]]: readonly Right[] } = {
  signalEntity: WORK,
  startOrchestration: WORK,
};

/** Whether the caller may make this call at all. */
export function mayCall(caller: Caller, method: MethodName): boolean {
  return hasOneOf(caller, CALL_RIGHTS[method]);
}

/** Whether the caller may start an instance in place of one that runs, which ends that one. */
export function mayReplaceRunning(caller: Caller): boolean {
  return hasOneOf(caller, CONTROL);
}

/** The first kind of action that the caller may not ask for. */
export function refusedAction(caller: Caller, actions: readonly Action[]): ActionKind | undefined {
  return actions.find((action) => !hasOneOf(caller, ACTION_RIGHTS[action.kind]))?.kind;
}

/** The same for actions of an entity's operations. */
export function refusedEntityAction(caller: Caller, actions: readonly EntityAction[]): EntityAction["kind"] | undefined {
  return actions.find((action) => !hasOneOf(caller, ENTITY_ACTION_RIGHTS[action.kind]))?.kind;
}

/** Whether the caller may read a history, and not only the past of what it was handed. */
export function mayReadHistory(caller: Caller): boolean {
  return hasOneOf(caller, READ_HISTORY);
}

/** What the caller is shown of an instance. Failures are no payloads. */
export function shownTo<S extends StoredInstance>(caller: Caller, instance: S): S {
  if (hasOneOf(caller, READ_PAYLOADS)) return instance;
  const { failure } = instance.payloads;
  return { ...instance, payloads: failure === undefined ? {} : { failure } };
}

/** What the caller is shown of an entity: its state is a payload. */
export function entityShownTo(caller: Caller, entity: EntitySnapshot): EntitySnapshot {
  if (hasOneOf(caller, READ_PAYLOADS)) return entity;
  const { state: _state, ...rest } = entity;
  return rest;
}

function hasOneOf(caller: Caller, rights: readonly Right[] | undefined): boolean {
  return rights?.some((right) => caller.rights.has(right)) ?? false;
}
