// The backend conformance kit over real connections of this machine, on its own time, through the door that users take.
// `THROUGH=grpc npm test` tells all of it; with all other tests only what belongs to sockets more than to the rest.

import { openTaskHub } from "ostinato";
import { backendConformance, type MakeHub } from "ostinato/conformance";
import { serve } from "../src/server/serve.ts";

const chapters = process.env["THROUGH"] === "grpc" ? undefined : (["orchestrations", "events"] as const);

const overSockets: MakeHub = async (request) => {
  const kept = await openTaskHub("memory:", { log: { level: "silent" } });
  const server = await serve(kept, { port: 0 });
  const hub = await openTaskHub(`grpc://127.0.0.1:${server.port}`, { ...request, log: { level: "silent" } });
  return {
    hub,
    counters: () => kept.counters(),
    async dispose() {
      await hub.close();
      await server.close({ grace: "1s" });
      await kept.close();
    },
  };
};

backendConformance("over sockets, real time", overSockets, chapters);
