// no-outer-mutation: what outlives a replay must not be changed by it: each replay would change it once more.
import type { TSESTree } from "@typescript-eslint/utils";
import { initOf, referenceOf, variableOf } from "../references.ts";
import { defineRule } from "../rule.ts";
import type { Look } from "../rule.ts";
import { contains, enclosingFunction, isFunction, propertyName, unwrap } from "../syntax.ts";
import type { Node } from "../syntax.ts";

const MUTATORS = new Set([
  ...["push", "pop", "shift", "unshift", "splice", "sort", "reverse", "fill", "copyWithin", "set", "add", "delete", "clear"],
]);
const COLLECTIONS = new Set(["Map", "Set", "WeakMap", "WeakSet", "Array"]);

export const noOuterMutation = defineRule({
  name: "no-outer-mutation",
  about: "disallow changing state outside of an orchestrator",
  options: {},
  messages: {
    mutation:
      "`{{what}}` lives outside of the orchestrator, and every replay changes it once more. Keep state in variables of the body; carry it on with `{{ctx}}.continueAsNew(...)`, show it with `{{ctx}}.setCustomStatus(...)`, or change the outside in an activity.{{where}}",
  },
  find(look) {
    look.eachNode((node) => {
      for (const { target, isCall } of changedBy(node)) {
        if (isOuter(look, target, isCall)) look.report({ node, messageId: "mutation", data: { what: look.textOf(target) } });
      }
    });
  },
});

interface Change {
  /** What is assigned to, or the object whose method is called. */
  readonly target: Node;
  /** A method that changes collections: what it does is certain only of those that we know. */
  readonly isCall: boolean;
}

function changedBy(node: Node): Change[] {
  const assigned = (target: Node): Change[] => [{ target, isCall: false }];
  switch (node.type) {
    case "AssignmentExpression":
      return targetsOf(node.left).flatMap(assigned);
    case "UpdateExpression":
      return assigned(node.argument);
    case "UnaryExpression":
      return node.operator === "delete" ? assigned(node.argument) : [];
    case "ForOfStatement":
    case "ForInStatement":
      return node.left.type === "VariableDeclaration" ? [] : targetsOf(node.left).flatMap(assigned);
    case "CallExpression":
      return changedByCall(node);
    default:
      return [];
  }
}

function changedByCall(call: TSESTree.CallExpression): Change[] {
  const callee = unwrap(call.callee);
  if (callee.type !== "MemberExpression") return [];
  const name = propertyName(callee) ?? "";
  const [first] = call.arguments;
  const isOfObject = callee.object.type === "Identifier" && callee.object.name === "Object";
  if (isOfObject && /^(?:assign|defineProperty|defineProperties|setPrototypeOf)$/.test(name) && first !== undefined)
    return [{ target: first, isCall: true }];
  return MUTATORS.has(name) ? [{ target: callee.object, isCall: true }] : [];
}

function targetsOf(left: Node): Node[] {
  switch (left.type) {
    case "ObjectPattern":
      return left.properties.flatMap((property) => targetsOf(property.type === "Property" ? property.value : property.argument));
    case "ArrayPattern":
      return left.elements.flatMap((element) => (element === null ? [] : targetsOf(element)));
    case "AssignmentPattern":
      return targetsOf(left.left);
    default:
      return [left];
  }
}

function isOuter(look: Look<object>, target: Node, isCall: boolean): boolean {
  const region = look.code.regionOf(target);
  if (region === undefined) return false;
  let base = unwrap(target);
  while (base.type === "MemberExpression") base = unwrap(base.object);
  if (base.type === "ThisExpression") return !isCall && unwrap(target).type === "MemberExpression" && isOuterThis(base, region);
  if (base.type !== "Identifier") return false;
  const variable = variableOf(look.sourceCode, base);
  const [def] = variable?.defs ?? [];
  if (variable === undefined || def === undefined) return !isCall && !isKnownElsewhere(look, target);
  if (contains(region, def.name)) return false;
  if (!isCall || unwrap(target).type === "ThisExpression") return true;
  // A method of that name may do anything; of a list, a map or a literal it is known what it does.
  const init = initOf(variable);
  return init !== undefined && isCollection(unwrap(init));
}

function isCollection(init: Node): boolean {
  if (init.type === "ArrayExpression" || init.type === "ObjectExpression") return true;
  return init.type === "NewExpression" && init.callee.type === "Identifier" && COLLECTIONS.has(init.callee.name);
}

/** `process.env.X = ...` is no-environment's, to say it once. */
function isKnownElsewhere(look: Look<object>, target: Node): boolean {
  const [first] = referenceOf(look.sourceCode, target)?.path ?? [];
  return first === "process" || first === "localStorage" || first === "sessionStorage";
}

/** `this` of the object or class to which the orchestrator belongs, not of one that lives inside of it. */
function isOuterThis(node: Node, region: Node): boolean {
  let around = enclosingFunction(node);
  while (around?.type === "ArrowFunctionExpression") around = enclosingFunction(around);
  if (around === undefined) return contains(region, node);
  return around === region ? !isConstructor(around) : !contains(region, around);
}

function isConstructor(node: Node): boolean {
  return isFunction(node) && node.parent.type === "MethodDefinition" && node.parent.kind === "constructor";
}
