// table: rows in columns.
//
// Always:  cells are plain text that `escape` has passed; colour comes after the width was measured.
import { cut } from "./escape.ts";

/** One column: its heading, whether its numbers stand at the right, and how its cells are coloured. */
export interface Column<Row> {
  readonly heading: string;
  readonly cell: (row: Row) => string;
  readonly right?: boolean;
  readonly paint?: (text: string, row: Row) => string;
}

const GAP = "  ";

/** The lines of a table. The last column gives way when the whole is wider than the terminal. */
export function tableLines<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { readonly columns?: number | undefined; readonly heading: (text: string) => string },
): string[] {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  const widths = columns.map((column, index) => Math.max(widthOf(column.heading), ...cells.map((row) => widthOf(row[index] ?? ""))));
  const room = options.columns;
  const last = widths.length - 1;
  if (room !== undefined && last >= 0) {
    const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
    widths[last] = Math.min(widths[last] ?? 0, Math.max(8, room - before));
  }
  const heading = columns.map((column, index) => padded(column.heading, widths[index] ?? 0, index === last, column.right));
  return [
    options.heading(heading.join(GAP).trimEnd()),
    ...rows.map((row, line) =>
      columns
        .map((column, index) => {
          const width = widths[index] ?? 0;
          const text = cut(cells[line]?.[index] ?? "", width);
          return padded(text, width, index === last, column.right, column.paint?.(text, row));
        })
        .join(GAP)
        .trimEnd(),
    ),
  ];
}

function padded(text: string, width: number, isLast: boolean, right: boolean | undefined, shown = text): string {
  const missing = " ".repeat(Math.max(0, width - widthOf(text)));
  return right === true ? missing + shown : isLast ? shown : shown + missing;
}

function widthOf(text: string): number {
  let width = 0;
  for (const _ of text) width++;
  return width;
}
