// corpus: the seeds that have ever found something. What a seed means changes with the simulation; what it found is written beside it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DrawOptions } from "./setup.ts";

/** A seed, and what it found when it did. */
export interface Found {
  readonly seed: number;
  readonly found: string;
  /** It was drawn so (see setup.ts). */
  readonly through?: "grpc";
  /** It was drawn with entities; those from before there were any mean what they meant. */
  readonly entities?: true;
  /** Not mended yet: it still breaks, and is run for those who look. */
  readonly open?: boolean;
}

/** All of them. */
export function corpus(): readonly Found[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, "corpus.json"), "utf8")) as Found[];
}

/** A seed with how its world is drawn. */
export interface Draw {
  readonly seed: number;
  readonly options: DrawOptions;
}

/** The worlds of those that are mended, each once. `through`: of those that were drawn so. */
export function corpusDraws(through?: "grpc"): readonly Draw[] {
  const draws = new Map<string, Draw>();
  for (const { seed, entities, open, ...found } of corpus()) {
    if (open === true || found.through !== through) continue;
    const options = { ...(through === undefined ? {} : { through }), ...(entities === true ? {} : { entities: false as const }) };
    draws.set(`${seed} ${entities}`, { seed, options });
  }
  return [...draws.values()];
}
