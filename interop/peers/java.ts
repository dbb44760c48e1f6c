// java: com.microsoft:durabletask-client, its worker and its client.
import { existsSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { cacheFolder, home, pinned, run } from "../peer.ts";
import type { Peer } from "../peer.ts";

const sdk = "com.microsoft:durabletask-client";

export const java: Peer = {
  key: "java",
  title: "Java",
  prefix: "java",
  lacks: {
    client: {
      entities: "their SDK has no entities",
      schedules: "their SDK has no schedules",
      innerFailure: "their client shows no inner failures",
      tags: "their client has no tags",
      listIds: "their client does not list ids",
      recursiveTerminate: "their client terminates one at a time",
      recursivePurge: "their client does not purge children",
      rewind: "their client has no rewind",
      history: "their client has no histories",
    },
    worker: {
      entities: "their SDK has no entities",
      schedules: "their SDK has no schedules",
      version: "an orchestrator does not know its version",
      versionFilter: "their worker knows no versions",
      parent: "a child does not know its parent",
      nonRetriable: "an activity cannot mark what it throws as non-retriable",
      rewind: "their worker knows no rewind",
      innerFailure: "their worker sends no causes",
    },
  },
  differs: {
    client: {
      "restart under the same id": "their client starts anew under the id, which our server refuses while the finished instance is there",
    },
    worker: {
      "event names without regard to case": "their worker tells events apart by case",
      "carried events of continue-as-new": "their worker carries on what it has already taken in the same turn, and in no order",
    },
  },
  async install() {
    const version = pinned("java")[sdk]!;
    const folder = cacheFolder("java", version);
    const source = join(home, "envoys", "Envoy.java");
    const libraries = join(folder, "lib");
    const classPath = `${join(libraries, "*")}${delimiter}${folder}`;
    const said = (await run("javac", ["-version"])).replace(/^javac /, "");
    if (!existsSync(join(libraries, `durabletask-client-${version}.jar`))) {
      const repository = cacheFolder("java", "repository");
      const args = [
        "-q",
        "-B",
        "-f",
        join(home, "envoys", "pom.xml"),
        `-Dmaven.repo.local=${repository}`,
        `-Ddurabletask.version=${version}`,
      ];
      await run("mvn", [...args, "dependency:copy-dependencies", `-DoutputDirectory=${libraries}`], { timeoutMs: 300_000 });
    }
    const built = join(folder, "Envoy.class");
    if (!existsSync(built) || statSync(built).mtimeMs < statSync(source).mtimeMs) {
      await run("javac", ["-cp", classPath, "-d", folder, source]);
    }
    return {
      versions: { [sdk]: version, Java: said },
      envoy: (address) => ({ file: "java", args: ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classPath, "Envoy", address] }),
    };
  },
};
