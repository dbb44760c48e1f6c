// our-server: a task hub over an SQLite file, for others to reach: node interop/our-server.ts 4001 /tmp/hub.db
import { serve } from "@ostinato/grpc";
import { openTaskHub } from "ostinato";

const [port, file] = process.argv.slice(2);
const hub = await openTaskHub(`sqlite:${file}`, { retention: 0 });
const server = await serve(hub, { port: Number(port), reconnectGrace: "2s" });
console.log("ready");
process.stdin
  .on(
    "end",
    () =>
      void server
        .close()
        .then(() => hub.close())
        .finally(() => process.exit(0)),
  )
  .resume();
