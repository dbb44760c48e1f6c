// no-side-effect: what an orchestrator does to the world beside its context, it does again at every replay.
import type { TSESTree } from "@typescript-eslint/utils";
import { defineRule, isOneOf, nameOfReference } from "../rule.ts";
import type { Look, Suggestion } from "../rule.ts";
import { isFunction, parentOf, propertyName, unwrap } from "../syntax.ts";
import type { Node } from "../syntax.ts";
import { isOfTaskHub } from "../type-information.ts";
import type { Use } from "../uses.ts";

const HUB_MAKERS = ["openTaskHub", "createTestHub"];
const LOG_METHODS: Readonly<Record<string, string>> = { log: "info", info: "info", warn: "warn", error: "error", debug: "debug" };

export const noSideEffect = defineRule({
  name: "no-side-effect",
  about: "disallow effects in orchestrators that do not go through the context",
  suggests: true,
  options: {},
  messages: {
    console:
      "`{{what}}` writes its line again at every replay. Use `{{ctx}}.log`, which writes it once, or let an activity write it.{{where}}",
    activity:
      "`{{what}}` runs the activity inside of the orchestrator, again at every replay, and nothing of it is recorded. Call it with `{{ctx}}.callActivity({{activity}}, ...)`.{{where}}",
    hub: "`{{what}}` speaks to the task hub again at every replay. Use `{{ctx}}.callSubOrchestrator(...)` to start, `{{ctx}}.sendEvent(...)` to raise an event, or do it in an activity.{{where}}",
    useLog: "Use `{{ctx}}.log.{{method}}`, which writes the line once.",
    useCall: "Use `{{ctx}}.callActivity({{activity}}, ...)`, which is recorded.",
  },
  find(look) {
    for (const use of look.uses) judgeUse(look, use);
    look.eachNode((node) => {
      if (node.type === "CallExpression") judgeCall(look, node);
    });
  },
});

function judgeUse(look: Look<object>, { node, reference, call, isCalled }: Use): void {
  const name = nameOfReference(reference);
  if (isOneOf(name, ["process.stdout", "process.stderr"])) {
    if (isCalled && !isOnlyOnce(look, node)) look.report({ node, messageId: "console", data: { what: look.textOf(node) } });
    return;
  }
  if (name === "console" || !isOneOf(name, ["console"]) || isOnlyOnce(look, node)) {
    const isHub = reference.module === "ostinato" || reference.module === "ostinato/testing";
    if (isHub && isCalled && HUB_MAKERS.includes(reference.path[0] ?? ""))
      look.report({ node, messageId: "hub", data: { what: look.textOf(node) } });
    return;
  }
  const method = LOG_METHODS[reference.path[1] ?? ""];
  const ctx = look.code.contextAt(node);
  const suggest: Suggestion[] = [];
  // The second argument of a console is another thing to print, that of the log a record of fields.
  if (method !== undefined && ctx !== undefined && !ctx.includes(".") && call?.arguments.length === 1)
    suggest.push({ messageId: "useLog", data: { method }, fix: (fixer) => fixer.replaceText(node, `${ctx}.log.${method}`) });
  look.report({ node, messageId: "console", data: { what: look.textOf(node) }, suggest });
}

/** Inside of `if (!ctx.isReplaying)` a line is written once. */
function isOnlyOnce(look: Look<object>, node: Node): boolean {
  for (let at = node, parent = parentOf(at); parent !== undefined && !isFunction(at); at = parent, parent = parentOf(at)) {
    const guard =
      (parent.type === "IfStatement" || parent.type === "ConditionalExpression") && parent.consequent === at
        ? parent.test
        : parent.type === "LogicalExpression" && parent.operator === "&&" && parent.right === at
          ? parent.left
          : undefined;
    if (guard?.type !== "UnaryExpression" || guard.operator !== "!") continue;
    const asked = unwrap(guard.argument);
    if (asked.type === "MemberExpression" && propertyName(asked) === "isReplaying" && look.code.isContext(asked.object)) return true;
  }
  return false;
}

function judgeCall(look: Look<object>, call: TSESTree.CallExpression): void {
  const callee = unwrap(call.callee);
  const owner = callee.type === "MemberExpression" && propertyName(callee) === "run" ? callee.object : undefined;
  const isDirect = look.code.isActivity(callee);
  if (isDirect || (owner !== undefined && look.code.isActivity(owner))) {
    const activity = look.textOf(isDirect ? callee : owner!);
    const data = { what: look.textOf(callee), activity };
    look.report({ node: call, messageId: "activity", data, suggest: useCall(look, call, activity) });
    return;
  }
  if (callee.type === "MemberExpression" && isOfTaskHub(look.sourceCode, callee.object)) {
    const isNamed = look.uses.some(({ node, reference }) => node === callee && reference.module !== undefined);
    if (!isNamed) look.report({ node: callee, messageId: "hub", data: { what: look.textOf(callee) } });
  }
}

/** The context that the body of an activity gets is its own: the arguments after it are the call's. */
function useCall(look: Look<object>, call: TSESTree.CallExpression, activity: string): Suggestion[] {
  const ctx = look.code.contextAt(call);
  const [first, ...input] = call.arguments;
  if (ctx === undefined || first === undefined || first.type === "SpreadElement" || input.length > 1) return [];
  const text = [activity, ...input.map((one) => look.textOf(one))].join(", ");
  return [{ messageId: "useCall", data: { activity }, fix: (fixer) => fixer.replaceText(call, `${ctx}.callActivity(${text})`) }];
}
