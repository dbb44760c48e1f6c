// release: gathers what the changesets say into CHANGELOG.md, and gives all packages their next version.
//
//   npm run release              then read the diff, commit, tag, and publish the tarballs of `npm run pack -- <folder>`
//
// Always:  R1 there is one changelog, at the root; packing puts a copy into each package.
//          R2 the histories that this version records are kept before it goes out (V3); that they are missing is said, and is a failure.
import { existsSync } from "node:fs";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { npm, read } from "./run-command.ts";

const root = join(import.meta.dirname, "..");
const changelog = join(root, "CHANGELOG.md");
const folder = join(root, ".changeset");

/** The sentences of the changesets that wait. */
async function sentences(): Promise<string[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith(".md") && name !== "README.md");
  const texts = await Promise.all(files.sort().map((name) => readFile(join(folder, name), "utf8")));
  return texts.map((text) => text.replace(/^---\n[\s\S]*?\n---\n/, "").trim());
}

async function versionNow(): Promise<string> {
  return (JSON.parse(await readFile(join(root, "packages/ostinato/package.json"), "utf8")) as { version: string }).version;
}

const news = await sentences();
if (news.length === 0) {
  console.error("Nothing is waiting to be released: `npm run changeset` describes a change.");
  process.exit(1);
}
const text = await readFile(changelog, "utf8");
if (!/^## Unreleased$/m.test(text)) {
  console.error("CHANGELOG.md has no heading '## Unreleased' for what is new.");
  process.exit(1);
}

console.log(await read(process.execPath, [join(root, "node_modules/@changesets/cli/bin.js"), "version"], { cwd: root }));
const version = await versionNow();
const golden = join("packages/ostinato/test/golden", version);
if (!existsSync(join(root, golden))) {
  console.error(`${golden} is missing. Record this version's histories before you commit: \`node scripts/record-golden.ts ${version}\`.`);
  process.exitCode = 1;
}
const today = new Date().toISOString().slice(0, 10);
await writeFile(
  changelog,
  text.replace(/^## Unreleased$/m, `## ${version} (${today})\n\n${news.map((one) => `- ${one.replaceAll("\n", "\n  ")}`).join("\n")}`),
);
await npm(["install", "--package-lock-only", "--ignore-scripts", "--loglevel=error"], root);
console.log(`All packages are ${version}. Read the diff before you commit it.`);
