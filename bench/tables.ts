// tables: figures for people: on a terminal, and for docs/performance.md.

/** One figure. */
export interface Figure {
  readonly bench: string;
  /** The median of the runs, or a ratio of medians. */
  readonly value: number;
  readonly unit: string;
  readonly runs: readonly number[];
}

/** What is to be reached: see docs/performance.md. */
const AIMS: Readonly<Record<string, string>> = {
  "sqlite.chain10.k1.of_floor": "at least 0.6",
  "sqlite.chain10.k16.of_floor": "at least 0.5",
  "sqlite.chain10.k200.of_floor": "at least 0.5",
  "sqlite.chain10.k1.of_keyed": "or at least 0.75",
  "sqlite.chain10.k16.of_keyed": "or at least 0.75",
  "sqlite.chain10.k200.of_keyed": "or at least 0.75",
  "sqlite.loop_delay.p99": "at most 10",
  "sqlite.slow_disk.loop_delay.p99": "at most 10",
  "sqlite.fanout.n10000": "at most 500",
  "sqlite.fanout.growth": "at most 11",
  "sqlite.longchain.n1000": "at most 250",
  "sqlite.longchain.n5000": "at most 250",
  "sqlite.longchain.growth": "at most 1.1",
  "sqlite.latency.p50": "at most 0.5",
  "sqlite.latency.p99": "at most 2",
  "sqlite.parked10k.bytes": "at most 2,048",
  "sqlite.parked10k.wake": "at most 1,500",
  "sqlite.parked10k.idle": "0",
  "sqlite.starts.k1": "at least 5,000",
  "sqlite.starts.k64": "at least 40,000",
  "postgres.chain10.k1.of_floor": "at least 0.6",
  "postgres.chain10.k16.of_floor": "at least 0.5",
  "postgres.chain10.k200.of_floor": "at least 0.5",
  "postgres.chain10.k1.of_keyed": "or at least 0.75",
  "postgres.chain10.k16.of_keyed": "or at least 0.75",
  "postgres.chain10.k200.of_keyed": "or at least 0.75",
  "postgres.loop_delay.p99": "at most 10",
  "postgres.fanout.n10000": "at most 1,500",
  "postgres.fanout.growth": "at most 11",
  "postgres.longchain.n1000": "at most 1,000",
  "postgres.longchain.n5000": "at most 1,000",
  "postgres.longchain.growth": "at most 1.1",
  "postgres.latency.p50": "at most 2",
  "postgres.latency.p99": "at most 6",
  "postgres.parked10k.bytes": "at most 2,048",
  "postgres.parked10k.wake": "at most 3,000",
  "postgres.parked10k.idle": "at most 0.2",
  "postgres.starts.k1": "at least 1,000",
  "postgres.starts.k64": "at least 10,000",
  "memory.chain10.k200": "at least 100,000",
  "wire.chain10.k200": "at least 2,500, and more than the Go sidecar",
  "wire.longchain.growth": "at most 1.5",
  "replay.async": "at least 200,000",
  "replay.generator": "at least 500,000",
  coldstart: "at most 150",
};

function spread({ runs }: Figure): string {
  return runs.length < 2 ? "" : `${Math.min(...runs).toLocaleString("en")} to ${Math.max(...runs).toLocaleString("en")}`;
}

const HEAD = ["| figure | median | rounds | unit | aim |", "|---|---|---|---|---|"];

function rowOf(figure: Figure): string {
  return `| \`${figure.bench}\` | ${figure.value.toLocaleString("en")} | ${spread(figure)} | ${figure.unit} | ${AIMS[figure.bench] ?? ""} |`;
}

/** A table in Markdown. */
export function markdownTable(figures: readonly Figure[]): string {
  return [...HEAD, ...figures.map(rowOf)].join("\n");
}

const RESULTS = /(<!-- results -->\n)([\s\S]*?)(\n<!-- \/results -->)/;

/** A page with these figures in its table of results; figures that were not measured now stay as they are. */
export function withResults(page: string, figures: readonly Figure[]): string {
  const [, , table = ""] = RESULTS.exec(page) ?? [];
  const rows = new Map(table.split("\n").flatMap((row) => (/^\| `/.test(row) ? [[row.split("`")[1]!, row] as const] : [])));
  for (const figure of figures) rows.set(figure.bench, rowOf(figure));
  return page.replace(RESULTS, (_, before: string, __: string, after: string) => before + [...HEAD, ...rows.values()].join("\n") + after);
}

/** Columns of equal width. */
export function terminalTable(figures: readonly Figure[]): string {
  const width = Math.max(...figures.map(({ bench }) => bench.length));
  return figures
    .map(
      ({ bench, value, unit }) =>
        `${bench.padEnd(width)}  ${value.toLocaleString("en").padStart(12)}  ${unit.padEnd(9)} ${AIMS[bench] ?? ""}`,
    )
    .join("\n");
}
