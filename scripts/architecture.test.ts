// architecture: the table of rooms in ARCHITECTURE.md is that of rooms.json. UPDATE=1 writes it.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { House } from "./tidy/rooms.ts";

const root = join(import.meta.dirname, "..");

/** Who may import whom, as a page shows it: only rooms that exist. */
function tableOf(house: House): string {
  const exists = (room: string): boolean => {
    const folder = join(root, house.source, room);
    return existsSync(folder) && readdirSync(folder, { recursive: true }).some((name) => String(name).endsWith(".ts"));
  };
  const rows = Object.entries(house.rooms)
    .filter(([room]) => exists(room))
    .map(([room, { is, imports }]) => {
      const named = imports.flatMap((entry) => {
        if (typeof entry === "string")
          return entry === "*" ? ["any room"] : entry === "doors" ? ["the public doors"] : exists(entry) ? [entry] : [];
        return [`${entry.room} (${entry.files.map((file) => `\`${file}\``).join(", ")}${entry.typesOnly ? ", types only" : ""})`];
      });
      return `| ${room} | ${is} | ${named.join(", ") || "nothing"} |`;
    });
  return ["| room | is | may import |", "|---|---|---|", ...rows].join("\n");
}

test("ARCHITECTURE.md shows the rooms as rooms.json has them", () => {
  const path = join(root, "ARCHITECTURE.md");
  const page = readFileSync(path, "utf8");
  const [block = "", begin = "", shown = "", end = ""] = /(<!-- rooms:.*?-->\n)(.*?)(<!-- \/rooms -->)/s.exec(page) ?? [];
  assert.notEqual(block, "", "the page has a place for the table");
  const table = tableOf(JSON.parse(readFileSync(join(root, "rooms.json"), "utf8")) as House);
  if (process.env["UPDATE"] === "1")
    writeFileSync(
      path,
      page.replace(block, () => `${begin}\n${table}\n\n${end}`),
    );
  else assert.equal(shown.trim(), table, "run it with UPDATE=1 to write the table");
});
