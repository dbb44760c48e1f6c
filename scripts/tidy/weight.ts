// weight: the largest files and functions, for a person to look at; nothing here fails.
import ts from "typescript";
import { codeOf, lineOf, nodesOf, parse } from "./tree.ts";
import type { Tree } from "./tree.ts";
import { placeOf } from "./rooms.ts";
import type { House } from "./rooms.ts";

interface Weight {
  readonly name: string;
  readonly lines: number;
}

export function weightReport(tree: Tree, house: House, count = 15): string {
  const product = codeOf(tree).filter((path) => /^packages\/[^/]+\/src\//.test(path) && !path.endsWith(".test.ts"));
  const files = product.map((path) => ({ name: path, lines: (tree.get(path) ?? "").split("\n").length - 1 }));
  const rooms = new Map<string, number>();
  for (const { name, lines } of files) {
    const place = placeOf(house, name);
    const room = place.kind === "room" ? place.room : place.kind === "door" ? "(doors)" : name.split("/").slice(0, 2).join("/");
    rooms.set(room, (rooms.get(room) ?? 0) + lines);
  }
  const functions = product.flatMap((path) => functionsOf(path, parse(tree, path)));
  return [
    table(
      "Rooms",
      [...rooms].map(([name, lines]) => ({ name, lines })),
      rooms.size,
    ),
    table("Largest files", files, count),
    table("Largest functions", functions, count),
  ].join("\n");
}

function functionsOf(path: string, file: ts.SourceFile): Weight[] {
  const found: Weight[] = [];
  for (const node of nodesOf(file)) {
    const isFunction =
      ts.isFunctionDeclaration(node) ||
      ts.isMethodDeclaration(node) ||
      ts.isFunctionExpression(node) ||
      ts.isArrowFunction(node) ||
      ts.isConstructorDeclaration(node);
    if (!isFunction || !node.body) continue;
    const owner = node.name ?? ("name" in node.parent ? node.parent.name : undefined);
    const first = lineOf(file, node);
    const lines = file.getLineAndCharacterOfPosition(node.getEnd()).line + 2 - first;
    found.push({ name: `${path}:${first} ${owner ? owner.getText(file) : "(anonymous)"}`, lines });
  }
  return found;
}

function table(title: string, weights: readonly Weight[], count: number): string {
  const rows = [...weights].sort((a, b) => b.lines - a.lines || a.name.localeCompare(b.name)).slice(0, count);
  return `${title}\n${rows.map(({ name, lines }) => `${String(lines).padStart(7)}  ${name}`).join("\n")}\n`;
}
