// store-under-test: what a store's author hands to the conformance kit.

import type { Instant } from "../../contract/instant.ts";
import type { Store } from "../../engine/store.ts";

/** A fresh, open store with nothing in it, and what the kit may do to it. */
export interface StoreUnderTest {
  readonly store: Store;
  /** The store's clock, when it can be moved. Without it the chapters about time are left out. */
  readonly clock?: { now(): Instant; advance(ms: number): void; set(at: Instant): void };
  /** Ends the store as a crash would (or, where that is not possible, by closing it) and opens what is left. Only for stores that outlive it. */
  readonly reopen?: () => Promise<Store>;
  /** Another owner of the same hub. */
  readonly connectAnother?: () => Promise<Store>;
  readonly dispose: () => Promise<void>;
}
