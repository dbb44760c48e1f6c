// ostinato/testing: the product over the memory store, with a clock that moves when nothing else can.

export { atEveryCrash, createTestHub, type TestHub, type TestHubOptions } from "./testing/test-hub.ts";
export { stub } from "./testing/stub.ts";
export type { Fault } from "./testing/faults.ts";
export type { TestClock } from "./testing/virtual-clock.ts";
export { testEntity, type SentSignal, type StartedOrchestration, type TestEntity, type TestEntityOptions } from "./testing/test-entity.ts";
