// no-environment: a replay may run in another process, on another machine, with other settings.
import { defineRule, isOneOf, nameOfReference } from "../rule.ts";
import { propertyName } from "../syntax.ts";

/** Of `process`, what other rules speak of. */
const OF_OTHERS = ["process.hrtime", "process.uptime", "process.stdout", "process.stderr", "process.nextTick"];
const GLOBALS = [
  "process",
  "Deno.env",
  "Deno.args",
  "Deno.cwd",
  "Bun.env",
  "Bun.argv",
  "navigator.language",
  "navigator.languages",
  "navigator.hardwareConcurrency",
];

export const noEnvironment = defineRule({
  name: "no-environment",
  about: "disallow reading the environment in orchestrators",
  options: { allow: [] as readonly string[] },
  messages: {
    environment:
      "`{{what}}` belongs to the process that happens to run this turn, and a replay may run in another one. Pass it in the orchestrator's input, or read it in an activity with `{{ctx}}.callActivity(...)`.{{where}}",
  },
  find(look) {
    for (const { node, reference, isCalled } of look.uses) {
      const name = nameOfReference(reference);
      // A constant of the module was read once, outside: that is a setting of the deployment, and its author's decision.
      if (reference.alias !== undefined && node.type === "Identifier" && !isCalled) continue;
      if (isOneOf(name, OF_OTHERS) || isOneOf(name, look.options.allow)) continue;
      const isOs = reference.module === "os" && name !== "os#EOL";
      if (isOs || isOneOf(name, GLOBALS)) look.report({ node, messageId: "environment", data: { what: look.textOf(node) } });
    }
    // import.meta.env is no name that a scope knows.
    look.eachNode((node) => {
      const isEnv = node.type === "MemberExpression" && node.object.type === "MetaProperty" && propertyName(node) === "env";
      if (isEnv) look.report({ node, messageId: "environment", data: { what: "import.meta.env" } });
    });
  },
});
