// conformance: the proof that a store is one. Runs with node:test; its chapters are the rules that the engine builds on.
//
// Owns:    the list of chapters.
// Is told: how to make a fresh store.
// Always:  it knows the seam and nothing of any body.

import { describe } from "node:test";
import type { TestContext } from "node:test";
import { claims } from "./claims.ts";
import { commits } from "./commits.ts";
import { crashes } from "./crashes.ts";
import { entities } from "./entities.ts";
import { fencing } from "./fencing.ts";
import { finished } from "./finished.ts";
import { lockedEntities } from "./locked-entities.ts";
import { outstanding } from "./outstanding.ts";
import { queries } from "./queries.ts";
import type { StoreUnderTest } from "./store-under-test.ts";
import { updates } from "./updates.ts";
import { visibility } from "./visibility.ts";

/** Opens a fresh store that is disposed of with the test. */
export type Opener = (t: TestContext) => Promise<StoreUnderTest>;

const CHAPTERS: Readonly<Record<string, (open: Opener) => void>> = {
  claims,
  commits,
  fencing,
  visibility,
  updates,
  queries,
  finished,
  outstanding,
  entities,
  "locked entities": lockedEntities,
  crashes,
};

/**
 * Tells all chapters to a store.
 *
 * @param make opens a fresh store with nothing in it.
 * @example
 * storeConformance("memory", async () => {
 *   const store = createMemoryHub({ clock }).connect();
 *   await store.open();
 *   return { store, clock, dispose: () => store.close() };
 * });
 */
export function storeConformance(name: string, make: () => Promise<StoreUnderTest>): void {
  const open: Opener = async (t) => {
    const under = await make();
    t.after(() => under.dispose());
    return under;
  };
  describe(`store conformance: ${name}`, () => {
    for (const [title, chapter] of Object.entries(CHAPTERS)) describe(title, () => chapter(open));
  });
}
