// index: the plugin, as ESLint's configuration takes it.
import { readFileSync } from "node:fs";
import type { OstinatoPlugin, PluginRule } from "./plugin-shape.ts";
import { noClock } from "./rules/no-clock.ts";
import { noEnvironment } from "./rules/no-environment.ts";
import { noFloatingTask } from "./rules/no-floating-task.ts";
import { noIo } from "./rules/no-io.ts";
import { noNativeAwait } from "./rules/no-native-await.ts";
import { noOuterMutation } from "./rules/no-outer-mutation.ts";
import { noRandom } from "./rules/no-random.ts";
import { noReturnedWinner } from "./rules/no-returned-winner.ts";
import { noSideEffect } from "./rules/no-side-effect.ts";
import { noThreads } from "./rules/no-threads.ts";
import { noTimers } from "./rules/no-timers.ts";

export type { OstinatoPlugin, PluginConfig, PluginRule } from "./plugin-shape.ts";

const rules = {
  "no-clock": noClock,
  "no-environment": noEnvironment,
  "no-floating-task": noFloatingTask,
  "no-io": noIo,
  "no-native-await": noNativeAwait,
  "no-outer-mutation": noOuterMutation,
  "no-random": noRandom,
  "no-returned-winner": noReturnedWinner,
  "no-side-effect": noSideEffect,
  "no-threads": noThreads,
  "no-timers": noTimers,
} satisfies Record<string, PluginRule>;

const { name, version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as OstinatoPlugin["meta"];
const meta = { name, version };
const configs = { recommended: recommended() };

/**
 * The plugin: rules for orchestrators, and `configs.recommended`, which turns all of them on as errors.
 *
 * @example
 * // eslint.config.js
 * import ostinato from "eslint-plugin-ostinato";
 * export default [ostinato.configs.recommended];
 */
const plugin: OstinatoPlugin = { meta, rules, configs };
configs.recommended.plugins["ostinato"] = plugin;

// tidy: allow forms because configurations, and the tools that read them, take a plugin from the default export.
export default plugin;

function recommended(): { name: string; plugins: Record<string, OstinatoPlugin>; rules: Record<string, "error"> } {
  const all = Object.keys(rules).map((name) => [`ostinato/${name}`, "error"] as const);
  return { name: "ostinato/recommended", plugins: {}, rules: Object.fromEntries(all) };
}
