// no-threads: what other threads do is not in the history.
import { defineRule, isModuleOf, isOneOf, nameOfReference } from "../rule.ts";

const GLOBALS = [
  "Worker",
  "SharedWorker",
  "ServiceWorker",
  "Atomics",
  "SharedArrayBuffer",
  "BroadcastChannel",
  "MessageChannel",
  "navigator.locks",
];
const MODULES = ["worker_threads", "cluster", "piscina", "tinypool", "workerpool", "threads", "jest-worker"];

export const noThreads = defineRule({
  name: "no-threads",
  about: "disallow threads and shared memory in orchestrators",
  options: { modules: [] as readonly string[] },
  messages: {
    thread:
      "`{{what}}` brings in another thread, and what that does is not in the history: a replay does it again, in another order. Move the work into an activity; `{{ctx}}.whenAll([...])` and `{{ctx}}.map(...)` run many at once.{{where}}",
  },
  find(look) {
    const modules = [...MODULES, ...look.options.modules];
    for (const { node, reference } of look.uses) {
      const name = nameOfReference(reference);
      if (isOneOf(name, GLOBALS) || isModuleOf(reference.module, modules))
        look.report({ node, messageId: "thread", data: { what: look.textOf(node) } });
    }
  },
});
