// backend conformance: what a user of a task hub is promised, told as stories, for every body that a Backend can have.
//
// Owns:    the list of chapters.
// Is told: how to make a hub under test.
// Tells:   node:test, one test for each promise.
// Always:  K1 a story knows the public doors only; whatever holds here holds for users.
//          K2 the name of a story that shows a numbered invariant begins with its number.

import { describe, test } from "node:test";
import { activities } from "./activities.ts";
import { children } from "./children.ts";
import { bulk } from "./bulk.ts";
import { composition } from "./composition.ts";
import { continueAsNew } from "./continue-as-new.ts";
import { control } from "./control.ts";
import { crashes } from "./crashes.ts";
import { criticalSections } from "./critical-sections.ts";
import { determinism } from "./determinism.ts";
import { entityStories } from "./entities.ts";
import { entityStorage } from "./entity-storage.ts";
import { events } from "./events.ts";
import { limits } from "./limits.ts";
import { orchestrations } from "./orchestrations.ts";
import { queries } from "./queries.ts";
import { restart } from "./restart.ts";
import { retries } from "./retries.ts";
import { rewind } from "./rewind.ts";
import { scheduleStories } from "./schedules.ts";
import { timers } from "./timers.ts";
import { validation } from "./validation.ts";
import { versions } from "./versions.ts";
import { tellStory, type Chapter, type MakeHub } from "./world.ts";

const CHAPTERS = {
  orchestrations,
  validation,
  composition,
  "continue as new": continueAsNew,
  activities,
  retries,
  timers,
  events,
  children,
  entities: entityStories,
  "entity storage": entityStorage,
  "critical sections": criticalSections,
  schedules: scheduleStories,
  control,
  restart,
  rewind,
  bulk,
  queries,
  versions,
  determinism,
  limits,
  crashes,
} satisfies Readonly<Record<string, Chapter>>;

/** The name of a chapter of the kit. */
export type ChapterName = keyof typeof CHAPTERS;

const STORY_LIMIT_MS = 30_000;

/**
 * Registers a test for each promise that a backend has to keep.
 *
 * @param name how the tests call the backend.
 * @param make a hub with an empty store, for each story anew.
 * @param chapters those that are told; all of them by default.
 * @example
 * backendConformance("sqlite", async ({ defaultVersion }) => {
 *   const hub = await openTaskHub(`sqlite:${freshFile()}`, { defaultVersion });
 *   return { hub, dispose: () => hub.close() };
 * });
 */
export function backendConformance(name: string, make: MakeHub, chapters?: readonly ChapterName[]): void {
  for (const [title, chapter] of Object.entries<Chapter>(CHAPTERS)) {
    if (chapters?.some((each) => each === title) === false) continue;
    describe(`${name}: ${title}`, { concurrency: 6 }, () => {
      chapter((promise, tell, request = {}) => {
        test(promise, { timeout: STORY_LIMIT_MS }, (context) => tellStory(make, request, context, tell));
      });
    });
  }
}
