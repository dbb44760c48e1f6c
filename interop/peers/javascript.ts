// javascript: @microsoft/durabletask-js, its worker and its client.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, home, pinned, run } from "../peer.ts";
import type { Peer } from "../peer.ts";

const sdk = "@microsoft/durabletask-js";

export const javascript: Peer = {
  key: "javascript",
  title: "JavaScript",
  prefix: "js",
  lacks: {
    client: { innerFailure: "their client shows no inner failures", schedules: "their SDK has no schedules" },
    worker: {
      schedules: "their SDK has no schedules",
      nonRetriable: "an activity cannot mark what it throws as non-retriable",
      innerFailure: "their worker sends no causes",
    },
  },
  async install() {
    const folder = cacheFolder("javascript");
    const version = pinned("javascript")[sdk]!;
    const installed = join(folder, "node_modules", sdk, "package.json");
    if (!existsSync(installed) || versionIn(installed) !== version) {
      writeFileSync(join(folder, "package.json"), `${JSON.stringify({ private: true, dependencies: { [sdk]: version } })}\n`);
      await run("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"], {
        cwd: folder,
      });
    }
    return {
      versions: {
        [sdk]: versionIn(installed),
        "@grpc/grpc-js": versionIn(join(folder, "node_modules", "@grpc", "grpc-js", "package.json")),
        Node: process.versions.node,
      },
      envoy: (address) => ({ file: process.execPath, args: [join(home, "envoys", "javascript.mjs"), address, folder] }),
    };
  },
};

function versionIn(path: string): string {
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
