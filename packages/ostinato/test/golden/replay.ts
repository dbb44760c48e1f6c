// replay: every recorded history with today's code, in this process's time zone and language; prints what came of it.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readHistories, replay } from "ostinato/history";
import { orchestrators } from "./stories.ts";

const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions();
console.log(`${timeZone} ${locale}`);
for (const version of readdirSync(import.meta.dirname, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
  const report = await replay(readHistories(join(import.meta.dirname, version.name)), { orchestrators });
  console.log(`${version.name}: ${String(report)}`);
  if (!report.ok || report.total === 0) process.exitCode = 1;
}
