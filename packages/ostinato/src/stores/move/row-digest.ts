// row-digest: a checksum of rows, the same whatever database they were read from.
//
// Always:  written over the values as they were read: kind, length, content of each column. Two lists of rows have one digest only if they are equal.

import { createHash } from "node:crypto";
import type { Row } from "./hub-tables.ts";

/** A checksum that grows row by row. */
export interface RowDigest {
  add(row: Row): void;
  /** Hexadecimal; nothing is added afterwards. */
  end(): string;
}

/** A checksum of no row yet. */
export function createRowDigest(): RowDigest {
  const hash = createHash("sha256");
  return {
    add(row) {
      let head = `${row.length}`;
      let texts = "";
      for (const value of row) {
        if (value === null) head += "|";
        else if (typeof value === "number") head += `|n${value}`;
        else {
          head += `|t${value.length}`;
          texts += value;
        }
      }
      hash.update(`${head}\n${texts}`, "utf8");
    },
    end: () => hash.digest("hex"),
  };
}
