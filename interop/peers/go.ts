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
      failure: "the client over gRPC shows no failures",
      stack: "the client over gRPC shows no failures",
      innerFailure: "the client over gRPC shows no failures",
      tags: "the client has no tags",
      version: "the client has no versions",
      query: "the client has no queries",
      listIds: "the client has no queries",
      purgeWhere: "the client purges one at a time",
      recursivePurge: "the client does not tell how many were purged",
      restart: "the client has no restart",
      rewind: "the client has no rewind",
      history: "the client has no histories",
    },
    worker: {
      sendEvent: "an orchestrator cannot raise events",
      version: "an orchestrator does not know its version",
      versionFilter: "the worker knows no versions",
      parent: "a child does not know its parent",
      nonRetriable: "an activity cannot mark what it throws as non-retriable",
      rewind: "the worker knows no rewind",
      stack: "the worker sends no stacks",
      innerFailure: "the worker sends no causes",
    },
    server: {
      query: "it answers no queries",
      listIds: "it answers no queries",
      purgeWhere: "it purges one at a time",
      restart: "it has no restart",
      rewind: "it has no rewind",
      history: "it shows no histories",
      tags: "it keeps no tags",
      version: "it keeps no versions",
      sendEvent: "it hands the receiver the sender's record of the event, which is no event for it",
      restartOfServer: "work that was out stays locked for two minutes",
    },
  },
  differs: {
    server: {
      "start at a later time": "it begins at once",
      "an event for an unknown instance is refused": "it takes events for instances that are not there",
      "terminate a suspended instance": "it goes on calling it SUSPENDED",
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
