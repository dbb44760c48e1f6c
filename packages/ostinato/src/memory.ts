// ostinato/memory: the memory store, for those who put a backend together by hand.

export { createMemoryHub, type MemoryHub } from "./stores/memory/memory-store.ts";
