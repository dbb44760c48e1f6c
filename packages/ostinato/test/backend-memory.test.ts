// The backend conformance kit on the memory store, on time that the kit moves.

import { backendConformance } from "../src/conformance/backend/index.ts";
import { createMemoryHub } from "../src/stores/memory/memory-store.ts";
import { createQuiet } from "../src/testing/quiet.ts";
import { createVirtualClock } from "../src/testing/virtual-clock.ts";
import { mortalHub } from "./mortal-hub.ts";

backendConformance("memory, virtual time", (request) => {
  const quiet = createQuiet();
  const clock = createVirtualClock(Date.UTC(2025, 0, 1), quiet);
  const memory = createMemoryHub({ clock });
  let lives = 0;
  return mortalHub({ connect: () => memory.connect(`life ${++lives}`), virtual: { clock, quiet } }, request);
});
