// python: the package durabletask, its worker, its client, and the in-memory backend that it has for tests, which is a server.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, home, pinned, run } from "../peer.ts";
import type { Peer } from "../peer.ts";

export const python: Peer = {
  key: "python",
  title: "Python",
  prefix: "py",
  lacks: {
    client: { tags: "their client shows no tags" },
    worker: { nonRetriable: "an activity cannot mark what it throws as non-retriable" },
    server: {
      restartOfServer: "their server keeps everything in memory",
      deathOfWorker: "their server never hands an activity out again",
    },
  },
  differs: {
    server: {
      "terminate with all descendants": "their server ends the parent alone",
      "purge with all descendants": "their server purges the parent alone",
      "start at a later time": "their server says RUNNING before the time has come",
      "a child knows its parent": "their server does not tell a child who its parent is",
      "the history of an instance": "their server records the end of each turn as well",
      tags: "their server shows no tags",
      "a locked entity names its orchestration, and takes signals when it is let go":
        "their server names the critical section in place of the orchestration",
      "an entity is deleted, cleaned up, and begins anew": "their server goes on showing an entity that has no state any more",
    },
  },
  atOnce: 4,
  async install() {
    const folder = cacheFolder("python");
    const interpreter = join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
    const wanted = Object.entries(pinned("python")).map(([name, version]) => `${name}==${version}`);
    if (!existsSync(interpreter)) await run("python3", ["-m", "venv", folder]);
    const present = (await run(interpreter, ["-m", "pip", "freeze"])).split("\n");
    if (!wanted.every((each) => present.includes(each))) {
      await run(interpreter, ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", ...wanted]);
    }
    const version = await run(interpreter, ["--version"]);
    return {
      versions: { ...pinned("python"), Python: version.replace(/^Python /, "") },
      envoy: (address) => ({ file: interpreter, args: [join(home, "envoys", "python.py"), address] }),
      server: (port) => ({ file: interpreter, args: [join(home, "envoys", "python-server.py"), String(port)], readyLine: /^ready/ }),
    };
  },
};
