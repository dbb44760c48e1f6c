// no-floating-task: a task that nobody waits for. Its failure is seen by nobody, and the orchestrator may end before it.
import type { TSESTree } from "@typescript-eslint/utils";
import { taskMethod } from "../orchestrator-code.ts";
import { functionOf } from "../references.ts";
import { defineRule } from "../rule.ts";
import type { Look, Suggestion } from "../rule.ts";
import { enclosingFunction, isFunction, propertyName, unwrap } from "../syntax.ts";
import type { Node } from "../syntax.ts";
import { isTask } from "../type-information.ts";

export const noFloatingTask = defineRule({
  name: "no-floating-task",
  about: "require durable tasks to be awaited, kept, returned or passed on",
  suggests: true,
  options: {},
  messages: {
    task: "Nobody waits for the task of `{{what}}`: its failure is lost, and the orchestrator may end before it does. Await it, keep it for `{{ctx}}.whenAll([...])`, or write `void` before it if that is meant.{{where}}",
    helper:
      "Nobody waits for `{{what}}`, which runs as part of this orchestrator: what it throws is lost, and the orchestrator may end before it does. Await it, or write `void` before it if that is meant.{{where}}",
    generator: "`{{what}}` only makes a generator, and nothing of it runs. Write `yield* {{what}}`.{{where}}",
    add: "Write `{{keyword}}` before it.",
  },
  find(look) {
    look.eachNode((node) => {
      if (node.type === "ExpressionStatement") for (const dropped of droppedBy(node.expression)) judge(look, dropped);
      if (node.type === "CallExpression") {
        const dropped = droppedByCallback(node);
        if (dropped !== undefined) judge(look, dropped);
      }
    });
  },
});

/** The expressions whose value a statement throws away. */
function droppedBy(expression: Node): Node[] {
  const inner = unwrap(expression);
  switch (inner.type) {
    case "LogicalExpression":
      return droppedBy(inner.right);
    case "ConditionalExpression":
      return [...droppedBy(inner.consequent), ...droppedBy(inner.alternate)];
    case "SequenceExpression":
      return inner.expressions.flatMap(droppedBy);
    case "CallExpression":
      return [inner];
    default:
      return [];
  }
}

/** `items.forEach((item) => <this>)`, and `map` where nobody takes its list. */
function droppedByCallback(call: TSESTree.CallExpression): Node | undefined {
  const callee = unwrap(call.callee);
  if (callee.type !== "MemberExpression") return undefined;
  const name = propertyName(callee);
  if (name !== "forEach" && !(name === "map" && call.parent.type === "ExpressionStatement")) return undefined;
  const [callback] = call.arguments;
  if (callback?.type !== "ArrowFunctionExpression" || callback.body.type === "BlockStatement") return undefined;
  const body = unwrap(callback.body);
  return body.type === "CallExpression" ? body : undefined;
}

function judge(look: Look<object>, node: Node): void {
  if (node.type !== "CallExpression") return;
  const what = shortText(look, node);
  const method = taskMethod(look.code, node);
  if (method !== undefined || isTask(look.sourceCode, node)) {
    look.report({ node, messageId: "task", data: { what }, suggest: waits(node) });
    return;
  }
  const fn = functionOf(look.sourceCode, node.callee);
  if (fn === undefined || look.code.at(fn) === undefined) return;
  if (fn.generator) look.report({ node, messageId: "generator", data: { what }, suggest: waits(node) });
  else if (fn.async) look.report({ node, messageId: "helper", data: { what }, suggest: waits(node) });
}

function waits(node: Node): Suggestion[] {
  const around = enclosingFunction(node);
  // In a callback there is no place for the word: the list that `map` makes would have to be awaited.
  if (around === undefined || (isFunction(node.parent) && node.parent.body === node)) return [];
  const keyword = around.async ? "await" : around.generator ? "yield*" : undefined;
  if (keyword === undefined || node.parent?.type !== "ExpressionStatement") return [];
  return [{ messageId: "add", data: { keyword }, fix: (fixer) => fixer.insertTextBefore(node, `${keyword} `) }];
}

function shortText(look: Look<object>, call: TSESTree.CallExpression): string {
  return `${look.textOf(call.callee)}(${call.arguments.length > 0 ? "..." : ""})`;
}
