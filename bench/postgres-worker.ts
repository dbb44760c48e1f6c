// postgres-worker: a worker process of postgres-processes.ts. Asked for it, it says how many activities it has done since; it ends with whoever started it.
//
//   node bench/postgres-worker.ts <database>
import { activity, openTaskHub } from "ostinato";
import { chain10, fanOut, hello } from "./place.ts";

const [database = ""] = process.argv.slice(2);
let done = 0;
const counted = activity(hello.name, async (_ctx, { city, i }: { city: string; i: number }) => {
  done++;
  return `Hello ${city} ${i}!`;
});

const hub = await openTaskHub(database);
const worker = await hub.startWorker({ orchestrators: [chain10, fanOut], activities: [counted] });
process.on("message", () => {
  process.send?.(done);
  done = 0;
});
process.once("disconnect", () => void worker.stop().then(() => hub.close()));
process.send?.(0);
