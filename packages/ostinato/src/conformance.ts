// ostinato/conformance: what a store and a backend have to keep, told by node:test to anybody's.

export { storeConformance } from "./conformance/store/conformance.ts";
export type { StoreUnderTest } from "./conformance/store/store-under-test.ts";
export { backendConformance, type ChapterName } from "./conformance/backend/index.ts";
export type { HubRequest, HubUnderTest, MakeHub } from "./conformance/backend/world.ts";

// What a store has to implement, and the values that it is handed.
export type { ChangeHint, ClaimRequest, Claims, Decision, Renewal, Store } from "./engine/store.ts";
export type {
  ActivityClaim,
  ActivityKey,
  ActivityLease,
  ActivityRow,
  Claim,
  Commit,
  CommitResult,
  Fence,
  Lease,
  PayloadChanges,
  Refusal,
} from "./engine/commit.ts";
