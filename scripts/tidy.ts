// tidy: reads the repository and says where it is not as we agreed. `--weight` prints the largest files and functions as well.
//
// Owns:    the order of the rules and how a finding is printed; each rule is a file of scripts/tidy/.
// Always:  a rule is a function of a tree and the table in rooms.json; this file alone touches the disk.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readTree } from "./tidy/tree.ts";
import type { Finding, Tree } from "./tidy/tree.ts";
import { cycleFindings, roomFindings } from "./tidy/rooms.ts";
import type { House } from "./tidy/rooms.ts";
import { banFindings } from "./tidy/bans.ts";
import { shapeFindings } from "./tidy/shape.ts";
import { pointerFindings } from "./tidy/pointers.ts";
import { deadFileFindings } from "./tidy/dead-files.ts";
import { packageFindings } from "./tidy/packages.ts";
import { applyExemptions } from "./tidy/exemptions.ts";
import { weightReport } from "./tidy/weight.ts";

export function tidy(tree: Tree, house: House): Finding[] {
  const findings = [
    ...roomFindings(tree, house),
    ...cycleFindings(tree, house),
    ...banFindings(tree, house),
    ...shapeFindings(tree, house),
    ...pointerFindings(tree),
    ...deadFileFindings(tree),
    ...packageFindings(tree, house),
  ];
  return applyExemptions(tree, findings).sort((a, b) => a.path.localeCompare(b.path) || (a.line ?? 0) - (b.line ?? 0));
}

if (process.argv[1] === import.meta.filename) {
  const root = join(import.meta.dirname, "..");
  const house = JSON.parse(readFileSync(join(root, "rooms.json"), "utf8")) as House;
  const tree = readTree(root);
  const findings = tidy(tree, house);
  for (const { path, line, rule, message } of findings)
    console.log(`${path}${line === undefined ? "" : `:${line}`}  ${message}  [${rule}]`);
  if (process.argv.includes("--weight")) console.log(`\n${weightReport(tree, house)}`);
  console.log(findings.length === 0 ? `tidy: ${tree.size} files, nothing to say` : `tidy: ${findings.length} findings`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
