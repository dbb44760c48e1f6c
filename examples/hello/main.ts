// Function chaining: one step after another. Each result is durable before the next step begins.
import { activity, openTaskHub, orchestrator } from "ostinato";

export const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);

export const sequence = orchestrator("sequence", async (ctx) => {
  const result1 = await ctx.callActivity(hello, "Tokyo"); // string
  const result2 = await ctx.callActivity(hello, "Seattle");
  const result3 = await ctx.callActivity(hello, "London");
  return [result1, result2, result3]; // the orchestration's output: string[]
});

if (import.meta.main) {
  const hub = await openTaskHub("memory:"); // "sqlite:hello.db" keeps everything in a file
  const worker = await hub.startWorker({ orchestrators: [sequence], activities: [hello] });

  const instance = await hub.start(sequence);
  console.log(await instance.result({ timeout: "30s" }));

  await worker.stop();
  await hub.close();
}
