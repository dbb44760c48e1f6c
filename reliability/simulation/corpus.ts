// corpus: the seeds that have ever found something. What a seed means changes with the simulation; what it found is written beside it.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A seed, and what it found when it did. */
export interface Found {
  readonly seed: number;
  readonly found: string;
  /** It was drawn so (see setup.ts). */
  readonly through?: "grpc";
  /** Not mended yet: it still breaks, and is run for those who look. */
  readonly open?: boolean;
}

/** All of them. */
export function corpus(): readonly Found[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, "corpus.json"), "utf8")) as Found[];
}

/** The seeds of those that are mended, each once. `through`: of those that were drawn so. */
export function corpusSeeds(through?: "grpc"): readonly number[] {
  return [...new Set(corpus().flatMap((each) => (each.open === true || each.through !== through ? [] : [each.seed])))];
}
