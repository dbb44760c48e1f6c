// tally: what a campaign counted, as lines; and which of the counts must not be nothing.
//
// Always:  a fault class without a hit fails the run: a campaign that met nothing has shown nothing.

/** What a campaign found. */
export interface Report {
  readonly name: string;
  readonly seed: number;
  /** In the order in which they are printed. */
  readonly counts: ReadonlyMap<string, number>;
  /** Counts that must be above zero. */
  readonly required: readonly string[];
  readonly violations: readonly string[];
  /** Parts that could not run here, and why. */
  readonly skipped: readonly string[];
}

/** Counts by name, in the order in which the names first came. */
export class Tally {
  readonly counts = new Map<string, number>();

  add(name: string, amount = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + amount);
  }
}

/** Whether nothing was violated and every fault class was met. */
export function isWell(report: Report): boolean {
  return report.violations.length === 0 && missedBy(report).length === 0;
}

/** The fault classes that were not met. */
export function missedBy(report: Report): readonly string[] {
  return report.required.filter((name) => (report.counts.get(name) ?? 0) === 0);
}

const SHOWN = 20;

/** The report as text. */
export function written(report: Report): string {
  const lines = [`${report.name}, seed ${report.seed}`];
  const width = Math.max(0, ...[...report.counts.keys()].map((name) => name.length));
  for (const [name, count] of report.counts) lines.push(`  ${name.padEnd(width)}  ${count.toLocaleString("en")}`);
  for (const why of report.skipped) lines.push(`  skipped: ${why}`);
  for (const name of missedBy(report)) lines.push(`  NOT MET: ${name} was never hit, so nothing was shown about it`);
  lines.push(`  violations: ${report.violations.length}`);
  for (const violation of report.violations.slice(0, SHOWN)) lines.push(`  VIOLATION ${violation}`);
  if (report.violations.length > SHOWN) lines.push(`  and ${report.violations.length - SHOWN} more`);
  return lines.join("\n");
}
