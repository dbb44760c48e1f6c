// no-timers: a timer of the process dies with it.
import type { TSESTree } from "@typescript-eslint/utils";
import { byContext, defineRule, isModuleOf, isOneOf, nameOfReference } from "../rule.ts";
import type { Finding, Look } from "../rule.ts";
import type { Use } from "../uses.ts";

const TIMERS = [
  ...["setTimeout", "setInterval", "setImmediate", "requestAnimationFrame", "requestIdleCallback", "AbortSignal.timeout"],
  ...["scheduler.wait", "scheduler.postTask", "Bun.sleep", "Bun.sleepSync"],
];
const TIMER_MODULES = ["timers/promises", "delay", "sleep-promise", "p-timeout", "node-cron", "cron", "node-schedule"];

export const noTimers = defineRule({
  name: "no-timers",
  about: "disallow timers of the process in orchestrators",
  suggests: true,
  options: { modules: [] as readonly string[], sleepFunctions: ["sleep", "delay"] as readonly string[] },
  messages: {
    timer:
      "`{{what}}` is a timer of this process: it is not recorded, dies with the process, and starts anew at every replay. Use `{{ctx}}.createTimer(...)`, which is durable.{{where}}",
    useContext: "Use `{{replacement}}`, which is durable.",
  },
  find(look) {
    for (const use of look.uses) {
      const finding = findingOf(look, use);
      if (finding !== undefined) look.report(finding);
    }
  },
});

interface Options {
  readonly modules: readonly string[];
  readonly sleepFunctions: readonly string[];
}

function findingOf(look: Look<Options>, use: Use): Finding | undefined {
  const { node, call, reference } = use;
  const isOfModule = use.isCalled && isModuleOf(reference.module, [...TIMER_MODULES, ...look.options.modules]);
  if (!isOfModule && !isOneOf(nameOfReference(reference), TIMERS) && !isSleep(look, use)) return undefined;
  const where = call ?? node;
  const data = { what: look.textOf(node) };
  const [duration] = call?.arguments ?? [];
  // A promise of the timer is replaced by a task of it; a callback has no such twin.
  const isPromise = reference.module !== undefined && reference.module !== "timers";
  if (!isPromise || call?.arguments.length !== 1 || duration?.type !== "Literal" || typeof duration.value !== "number")
    return { node: where, messageId: "timer", data };
  const text = `createTimer("${duration.value}ms")`;
  const fix = byContext(look, call, (ctx) => `${ctx}.${text}`);
  const replacement = `${look.code.contextAt(call) ?? "ctx"}.${text}`;
  return {
    node: where,
    messageId: "timer",
    data,
    suggest: fix === undefined ? [] : [{ messageId: "useContext", data: { replacement }, fix }],
  };
}

/** `await sleep(100)`, imported from wherever, when the context is not handed to it. */
function isSleep(look: Look<Options>, { reference, call }: Use): boolean {
  if (reference.module === undefined || call?.type !== "CallExpression") return false;
  const name = reference.path.at(-1) ?? "";
  const isAwaited = call.parent.type === "AwaitExpression" || call.parent.type === "YieldExpression";
  if (!isAwaited || !look.options.sleepFunctions.includes(name)) return false;
  return !call.arguments.some((argument: TSESTree.Node) => look.code.isContext(argument));
}
