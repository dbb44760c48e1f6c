import assert from "node:assert/strict";
import { test } from "node:test";
import { atEveryCrash } from "ostinato/testing";
import { all, hello } from "./main.ts";

for (const orchestrator of all) {
  test(`${orchestrator.name} greets everybody, at whatever commit the process dies`, async () => {
    const polite = orchestrator.name === "composed" ? " How do you do?" : "";
    await atEveryCrash({ orchestrators: all, activities: [hello] }, async (hub) => {
      const instance = await hub.start(orchestrator, ["Tokyo", "Seattle", "London"], { instanceId: "one" });
      assert.deepEqual(await instance.result(), [`Hello Tokyo!${polite}`, `Hello Seattle!${polite}`, `Hello London!${polite}`]);
    });
  });
}
