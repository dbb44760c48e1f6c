// record-golden: `node scripts/record-golden.ts 0.2.0` records the histories of all golden stories as this version of the library writes them.
//
// Always:  a version is recorded once, when it is released, and never again: what was recorded is what stands in people's stores.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { recordStory, stories } from "../packages/ostinato/test/golden/stories.ts";

const [version = ""] = process.argv.slice(2);
const folder = join(import.meta.dirname, "..", "packages/ostinato/test/golden", version);
if (!/^\d+\.\d+\.\d+$/.test(version)) {
  console.log("Say which version is recorded: node scripts/record-golden.ts 0.2.0");
  process.exitCode = 1;
} else if (existsSync(folder)) {
  console.log(`The histories of ${version} have been recorded, and stay as they are. They are what stores of that version hold.`);
  process.exitCode = 1;
} else {
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  let count = 0;
  for (const story of stories) {
    for await (const { file, text } of recordStory(story)) {
      writeFileSync(join(unfinished, file), text, { flag: "wx" });
      count += 1;
    }
  }
  renameSync(unfinished, folder);
  console.log(`record-golden: ${count} histories of ${stories.length} stories for ${version}`);
}
