// Something that recurs for ever: each period is an execution of its own, so the history stays short however long it goes on.
import { activity, externalEvent, openTaskHub, orchestrator } from "ostinato";
import type { Duration } from "ostinato";

export const sold = externalEvent<number>("sold");

export interface Period {
  readonly number: number;
  /** The last one; without it there is always a next one. */
  readonly last?: number;
  readonly length: Duration;
}

export const sendReport = activity("sendReport", async (ctx, report: { period: number; sales: number; total: number }) => {
  console.log(`period ${report.period}: ${report.sales} sales, ${report.total} in all`);
});

export const recurringReport = orchestrator("recurringReport", async (ctx, period: Period) => {
  const end = ctx.createTimer(period.length);
  const sales: number[] = [];
  let sale = ctx.waitForExternalEvent(sold);
  while ((await ctx.whenAny([sale, end])) === sale) {
    sales.push(sale.result);
    sale = ctx.waitForExternalEvent(sold);
  }
  // From here on a sale belongs to the next period: nobody waits, so it stays in the buffer ...
  sale.cancel();
  const total = sales.reduce((a, b) => a + b, 0);
  await ctx.callActivity(sendReport, { period: period.number, sales: sales.length, total });
  if (period.number === period.last) return `${period.number} reports sent`;
  // ... and the buffer goes along, in its order, unless `carryEvents: false` says otherwise.
  ctx.continueAsNew({ ...period, number: period.number + 1 });
  return "";
});

if (import.meta.main) {
  const hub = await openTaskHub("memory:");
  const worker = await hub.startWorker({ orchestrators: [recurringReport], activities: [sendReport] });

  const instance = await hub.start(recurringReport, { number: 1, last: 3, length: "300ms" }, { instanceId: "sales" });
  for (const amount of [10, 20, 30]) await instance.raiseEvent(sold, amount);
  console.log(await instance.result({ timeout: "30s" }));

  await worker.stop();
  await hub.close();
}
