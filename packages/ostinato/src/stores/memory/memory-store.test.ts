import { storeConformance } from "../../conformance/store/conformance.ts";
import { movableClock } from "../../conformance/store/movable-clock.ts";
import { START } from "../../conformance/store/stories.ts";
import { createMemoryHub } from "./memory-store.ts";

storeConformance("memory", async () => {
  const clock = movableClock(START);
  const hub = createMemoryHub({ clock });
  const store = hub.connect();
  await store.open();
  return {
    store,
    clock,
    async connectAnother() {
      const other = hub.connect("other");
      await other.open();
      return other;
    },
    dispose: () => store.close(),
  };
});
