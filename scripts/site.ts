// site: the pages of the repository as a site. `npm run docs` builds it into docs/dist; `npm run docs -- dev` serves it while you write.
//
// The generator is installed on its own, when it is wanted: who builds and tests the code does not wait for it.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { npm, run } from "./run-command.ts";

const docs = join(import.meta.dirname, "..", "docs");
const generator = join(docs, "node_modules", "vitepress", "bin", "vitepress.js");
const [task = "build", ...rest] = process.argv.slice(2);
if (!["build", "dev", "preview"].includes(task)) {
  console.error(`There is no '${task}'; there are build, dev and preview.`);
  process.exit(2);
}
if (!existsSync(generator)) {
  console.log("Installing the generator of the site ...");
  // Its own version is exact; of what it needs npm writes a lock file only for the platform it runs on, which other machines then refuse.
  await npm(["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], docs);
}
process.exitCode = await run(process.execPath, [generator, task, ...rest], { cwd: docs });
