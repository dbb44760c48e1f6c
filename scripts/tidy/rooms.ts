// rooms: the table of rooms.json, and what is wrong with an import that crosses it.
//
// Tests stand outside the rooms and may walk in by any door; the table is about the product.
import { codeOf, isTest } from "./tree.ts";
import type { Finding, Tree } from "./tree.ts";
import { importsOf } from "./imports.ts";

export interface Opening {
  readonly room: string;
  readonly files: readonly string[];
  readonly typesOnly?: boolean;
}

export interface Room {
  readonly is: string;
  /** A room, "*" for all, "doors" for entry files and the package's own name, or single files of a room. */
  readonly imports: readonly (string | Opening)[];
  readonly otherwise: string;
  readonly remedies?: Readonly<Record<string, string>>;
}

export interface Ban {
  readonly what: string;
  readonly instead: string;
  readonly allowedIn: readonly string[];
  /** Present when the ban holds in tests too, with the remedy there. */
  readonly inTests?: string;
  readonly exceptions?: Readonly<Record<string, readonly string[]>>;
}

export interface House {
  readonly source: string;
  readonly rooms: Readonly<Record<string, Room>>;
  readonly bans: Readonly<Record<string, Ban>>;
  readonly optionalPeers: readonly string[];
}

export type Place =
  { readonly kind: "room"; readonly room: string; readonly inside: string } | { readonly kind: "door" } | { readonly kind: "outside" };

/** Where in the house a path is. A door is a file that lies directly in the source folder. */
export function placeOf(house: House, path: string): Place {
  if (!path.startsWith(`${house.source}/`)) return { kind: "outside" };
  const [first = "", ...rest] = path.slice(house.source.length + 1).split("/");
  return rest.length === 0 ? { kind: "door" } : { kind: "room", room: first, inside: rest.join("/") };
}

export function roomFindings(tree: Tree, house: House): Finding[] {
  const findings: Finding[] = [];
  const packageName = house.source.split("/")[1] ?? "";
  for (const path of codeOf(tree)) {
    const here = placeOf(house, path);
    if (here.kind === "outside" || isTest(path)) continue;
    if (here.kind === "room" && !house.rooms[here.room]) {
      findings.push({
        path,
        rule: "rooms",
        message: `there is no room ${here.room}: name it in rooms.json, with its doors, or find the room where this lives`,
      });
      continue;
    }
    for (const wanted of importsOf(tree, path)) {
      const said = (message: string): void => void findings.push({ path, line: wanted.line, rule: "rooms", message });
      const byName = wanted.specifier === packageName || wanted.specifier.startsWith(`${packageName}/`);
      const there = byName ? ({ kind: "door" } as const) : wanted.target === undefined ? undefined : placeOf(house, wanted.target);
      if (there === undefined) {
        if (!wanted.specifier.startsWith("node:") && !house.optionalPeers.includes(wanted.specifier))
          said(`"${wanted.specifier}" is no part of ${packageName}, which has no runtime dependencies`);
      } else if (there.kind === "outside") {
        said(`${wanted.specifier} lies outside ${house.source}: it would not be in the package`);
      } else if (here.kind === "door") {
        if (there.kind === "door") said(`nothing imports an entry file: import from the room that ${wanted.specifier} exposes`);
      } else {
        const refusal = refusalOf(house, here.room, there, wanted.typesOnly);
        if (refusal !== undefined) said(refusal);
      }
    }
  }
  return findings;
}

function refusalOf(house: House, from: string, to: Exclude<Place, { kind: "outside" }>, typesOnly: boolean): string | undefined {
  const room = house.rooms[from];
  if (!room) return undefined;
  if (to.kind === "door") {
    return room.imports.includes("doors") ? undefined : `${from} may not import an entry file: import from the room that it exposes`;
  }
  if (to.room === from || room.imports.includes("*") || room.imports.includes(to.room)) return undefined;
  const opening = room.imports.find((entry) => typeof entry === "object" && entry.room === to.room && entry.files.includes(to.inside));
  if (typeof opening === "object" && (!opening.typesOnly || typesOnly)) return undefined;
  const what = opening ? `values of ${to.room}/${to.inside} (types only)` : to.room;
  return `${from} may not import ${what}: ${room.remedies?.[to.room] ?? room.otherwise}`;
}

/** No cycle between rooms, whatever the table allows. */
export function cycleFindings(tree: Tree, house: House): Finding[] {
  const edges = new Map<string, Map<string, { path: string; line: number }>>();
  for (const path of codeOf(tree)) {
    const here = placeOf(house, path);
    if (here.kind !== "room" || isTest(path)) continue;
    for (const wanted of importsOf(tree, path)) {
      const there = wanted.target === undefined ? undefined : placeOf(house, wanted.target);
      if (there?.kind !== "room" || there.room === here.room) continue;
      const from = edges.get(here.room) ?? new Map<string, { path: string; line: number }>();
      edges.set(here.room, from);
      if (!from.has(there.room)) from.set(there.room, { path, line: wanted.line });
    }
  }
  const findings: Finding[] = [];
  const done = new Set<string>();
  const visit = (room: string, trail: readonly string[]): void => {
    const at = trail.indexOf(room);
    if (at >= 0) {
      const last = trail[trail.length - 1] ?? room;
      const where = edges.get(last)?.get(room);
      findings.push({
        path: where?.path ?? house.source,
        ...(where ? { line: where.line } : {}),
        rule: "cycles",
        message: `rooms go in a circle: ${[...trail.slice(at), room].join(" → ")}`,
      });
      return;
    }
    if (done.has(room)) return;
    for (const next of edges.get(room)?.keys() ?? []) visit(next, [...trail, room]);
    done.add(room);
  };
  for (const room of edges.keys()) visit(room, []);
  return findings;
}
