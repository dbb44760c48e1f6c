// entity-locks: the critical sections of an orchestration, as its record keeps them.
//
// Owns:    how a section comes to be, is granted, and ends; what every end of an execution sends.
// Is told: the record, what a turn was told and asks for.
// Tells:   the sections as they stand afterwards, and messages to entities.
// Always:  EL1 a section stands in the record from the commit that sends its request to the commit that sends its last release (E4).
//          EL2 a section that was granted is released, each entity once; one that was not is withdrawn by one message, which follows its request.
//          EL3 an execution that has no section costs one look at a field.

import type { HistoryEvent } from "../contract/events.ts";
import type { EntityId } from "../contract/ids.ts";
import type { CriticalSection, EntityLock, InstanceRecord } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { Message } from "../contract/messages.ts";
import { knownEntityId, unlockMessage } from "./entity-messages.ts";

/** The sections of one execution; `undefined`: it has none. */
export type Sections = InstanceRecord["sections"];

/** The sections once a turn was told what it was told: those that were granted are. */
export function sectionsGranted(sections: NonNullable<Sections>, events: readonly HistoryEvent[]): NonNullable<Sections> {
  let now = sections;
  for (const event of events) {
    if (event.kind !== "EntityLockGranted") continue;
    now = now.map((section) => (section.id === event.criticalSectionId ? { ...section, granted: true } : section));
  }
  return now;
}

/** The entities of a set as they are locked: in the order of their ids, each once, those that cannot be left out. */
export function lockOrder(lockSet: readonly string[]): readonly EntityId[] {
  const known = new Set<EntityId>();
  for (const id of lockSet) {
    const entity = knownEntityId(id);
    if (entity !== undefined) known.add(entity);
  }
  return [...known].sort((a, b) => (a < b ? -1 : 1));
}

/** Whether an entity is this execution's alone. */
export function isInSection(sections: Sections, entity: EntityId): boolean {
  return sections !== undefined && sections.some(({ granted, lockSet }) => granted && lockSet.includes(entity));
}

/** What letting one entity go leaves, and what it sends. */
export interface LetGo {
  readonly sections: Sections;
  readonly message?: Message;
}

/** Lets one entity of a section go. Of a section that was not granted yet the whole request is taken back; of an unknown one nothing is. */
export function letGo(record: InstanceRecord, sections: Sections, sectionId: string, entity: EntityId, id: string, at: Instant): LetGo {
  const section = sections?.find((each) => each.id === sectionId);
  if (sections === undefined || !section?.lockSet.includes(entity)) return { sections };
  if (!section.granted) return { sections: without(sections, section), message: withdrawal(record, section, at) };
  const lockSet = section.lockSet.filter((each) => each !== entity);
  return {
    sections:
      lockSet.length === 0 ? without(sections, section) : sections.map((each) => (each === section ? { ...section, lockSet } : each)),
    message: unlockMessage(id, entity, ownerOf(record, sectionId), at),
  };
}

/** What the end of an execution sends, whatever ends it. */
export function releasesOf(record: InstanceRecord, sections: Sections, at: Instant): readonly Message[] {
  if (sections === undefined) return NONE;
  return sections.flatMap((section) =>
    section.granted
      ? section.lockSet.map((entity) => unlockMessage(`${record.executionId}:end:${section.id}`, entity, ownerOf(record, section.id), at))
      : [withdrawal(record, section, at)],
  );
}

/** A record with these sections, or without any. */
export function withSections(record: InstanceRecord, sections: Sections): InstanceRecord {
  if (record.sections === sections) return record;
  const { sections: _before, ...rest } = record;
  return sections === undefined ? rest : { ...rest, sections };
}

const NONE: readonly never[] = [];

function withdrawal(record: InstanceRecord, { id, lockSet }: CriticalSection, at: Instant): Message {
  return unlockMessage(`${record.executionId}:withdraw:${id}`, lockSet[0]!, ownerOf(record, id), at, { lockSet, position: 0 });
}

function ownerOf({ id, executionId }: InstanceRecord, criticalSectionId: string): EntityLock {
  return { instanceId: id, executionId, criticalSectionId };
}

function without(sections: NonNullable<Sections>, section: CriticalSection): Sections {
  return sections.length === 1 ? undefined : sections.filter((each) => each !== section);
}
