// The backend conformance kit on the machine's own time, through the door that users take: with all other tests in part, with
// `THROUGH=clock npm test` whole.

import { backendConformance } from "../src/conformance/backend/index.ts";
import { openTaskHub } from "../src/index.ts";

const chapters =
  process.env["THROUGH"] === "clock" ? undefined : (["orchestrations", "activities", "timers", "entities", "critical sections"] as const);

backendConformance(
  "memory, real time",
  async (request) => {
    const hub = await openTaskHub("memory:", { ...request, log: { level: "silent" } });
    return { hub, dispose: () => hub.close() };
  },
  chapters,
);
