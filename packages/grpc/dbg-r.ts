import { orchestrator, activity } from "ostinato";
import { hubThroughWire } from "./test/hub-through-wire.ts";
let calls = 0;
const under = await hubThroughWire({ asFamily: true, fault: (c) => { if (++calls < 60) console.log(c.method, c.number); return undefined; } });
const hub = under.hub;
let broken = true;
const a = activity("a", async () => 1);
const b = activity("b", async (ctx) => { console.log("b", ctx.idempotencyKey, ctx.attempt, ctx.tags); if (broken) throw new Error("broken"); return 2; });
const w = orchestrator("w", async (ctx) => { await ctx.callActivity(a); return await ctx.callActivity(b); });
await hub.startWorker({ orchestrators: [w], activities: [a, b] });
const i = await hub.start(w);
console.log(await i.result().catch((e: Error) => e.message));
broken = false;
await i.rewind("because");
for (let n = 0; n < 20; n++) { await new Promise((r) => setImmediate(r)); }
console.log((await i.status())?.status, (await i.history()).map((e) => e.kind).join());
const p = under.advance!(1000); for (let n = 0; n < 50; n++) { await new Promise((r) => setImmediate(r)); } console.log("spinning?"); await p;
console.log((await i.status())?.status, (await i.history()).map((e) => e.kind).join());
process.exit();
