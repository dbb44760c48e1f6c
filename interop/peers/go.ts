// go: github.com/microsoft/durabletask-go, its worker and client over gRPC, and its backend over SQLite as a server.
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, home, pinned, run } from "../peer.ts";
import type { Peer } from "../peer.ts";

const sdk = "github.com/microsoft/durabletask-go";

export const go: Peer = {
  key: "go",
  title: "Go",
  prefix: "go",
  lacks: {
    client: {
      entities: "their SDK has no entities",
      schedules: "their SDK has no schedules",
      failure: "their client over gRPC shows no failures",
      stack: "their client over gRPC shows no failures",
      innerFailure: "their client over gRPC shows no failures",
      tags: "their client has no tags",
      version: "their client has no versions",
      query: "their client has no queries",
      listIds: "their client has no queries",
      purgeWhere: "their client purges one at a time",
      recursivePurge: "their client does not tell how many were purged",
      restart: "their client has no restart",
      rewind: "their client has no rewind",
      history: "their client has no histories",
    },
    worker: {
      entities: "their SDK has no entities",
      schedules: "their SDK has no schedules",
      sendEvent: "an orchestrator cannot raise events",
      version: "an orchestrator does not know its version",
      versionFilter: "their worker knows no versions",
      parent: "a child does not know its parent",
      nonRetriable: "an activity cannot mark what it throws as non-retriable",
      rewind: "their worker knows no rewind",
      stack: "their worker sends no stacks",
      innerFailure: "their worker sends no causes",
    },
    server: {
      entities: "their server has no entities",
      query: "their server answers no queries",
      listIds: "their server answers no queries",
      purgeWhere: "their server purges one at a time",
      restart: "their server has no restart",
      rewind: "their server has no rewind",
      history: "their server shows no histories",
      tags: "their server keeps no tags",
      version: "their server keeps no versions",
      sendEvent: "their server hands the receiver the sender's record of the event, which is no event for it",
      restartOfServer: "on their server work that was out stays locked for two minutes",
    },
  },
  differs: {
    server: {
      "start at a later time": "their server begins at once",
      "an event for an unknown instance is refused": "their server takes events for instances that are not there",
      "terminate a suspended instance": "their server goes on calling it SUSPENDED",
    },
  },
  async install() {
    const folder = cacheFolder("go");
    const source = join(home, "envoys", "envoy.go");
    const binary = join(folder, process.platform === "win32" ? "envoy.exe" : "envoy");
    const env = {
      GOPATH: cacheFolder("go", "path"),
      GOFLAGS: `-mod=mod ${process.env["GOFLAGS"] ?? ""}`.trim(),
      GOTOOLCHAIN: "local",
      CGO_ENABLED: "0",
    };
    const version = (await run("go", ["env", "GOVERSION"])).replace(/^go/, "");
    const built = join(folder, "main.go");
    if (!existsSync(binary) || !existsSync(built) || readFileSync(built, "utf8") !== readFileSync(source, "utf8")) {
      const required = Object.entries(pinned("go")).map(([module, at]) => `require ${module} ${at}\n`);
      writeFileSync(join(folder, "go.mod"), `module envoy\n\ngo 1.22\n\n${required.join("")}`);
      await run("go", ["build", "-o", binary, source], { cwd: folder, env, timeoutMs: 400_000 });
      copyFileSync(source, built);
    }
    return {
      versions: { [sdk]: pinned("go")[sdk]!, Go: version },
      envoy: (address) => ({ file: binary, args: [address] }),
      server: (port, at) => ({ file: binary, args: ["serve", String(port), join(at, "hub.db")], readyLine: /^ready/ }),
    };
  },
};
