// no-returned-winner: `whenAny` gives the very task that won. As an output or an input it would be a task written down, not its result.
import { taskMethod } from "../orchestrator-code.ts";
import { initOf, ownVariableOf, referenceOf } from "../references.ts";
import { defineRule } from "../rule.ts";
import type { Look } from "../rule.ts";
import { enclosingFunction, propertyName, unwrap } from "../syntax.ts";
import type { Node } from "../syntax.ts";

/** Methods of the context that write what they are given, and from which argument on. */
const WRITERS: Readonly<Record<string, number>> = {
  callActivity: 1,
  callSubOrchestrator: 1,
  try: 1,
  sendEvent: 2,
  setCustomStatus: 0,
  continueAsNew: 0,
};

export const noReturnedWinner = defineRule({
  name: "no-returned-winner",
  about: "disallow returning or writing the task that `whenAny` gives in place of its result",
  suggests: true,
  options: {},
  messages: {
    winner:
      "`{{ctx}}.whenAny(...)` gives the task that settled first, not its result: what is written here would be the task itself. Use its `.result`, or `{{ctx}}.first({...})`, which gives key and value.{{where}}",
    useResult: "Use its result.",
  },
  find(look) {
    look.eachNode((node) => {
      for (const written of writtenBy(look, node)) for (const winner of winnersIn(look, written)) report(look, winner);
    });
  },
});

function report(look: Look<object>, node: Node): void {
  const isName = node.type === "Identifier";
  look.report({
    node,
    messageId: "winner",
    suggest: [
      {
        messageId: "useResult",
        fix: (fixer) => {
          if (!isName) return fixer.replaceText(node, `(${look.textOf(node)}).result`);
          const isShorthand = node.parent.type === "Property" && node.parent.shorthand;
          return fixer.replaceText(node, isShorthand ? `${node.name}: ${node.name}.result` : `${node.name}.result`);
        },
      },
    ],
  });
}

/** What a node hands over to be written: the body's own output, inputs and data of the context's calls, what is made JSON of. */
function writtenBy(look: Look<object>, node: Node): readonly Node[] {
  if (node.type === "ReturnStatement") return node.argument !== null && isOfBody(look, node) ? [node.argument] : [];
  if (node.type === "ArrowFunctionExpression" && node.body.type !== "BlockStatement")
    return look.code.at(node)?.fn === node && look.code.at(node)?.isBody ? [node.body] : [];
  if (node.type !== "CallExpression") return [];
  const callee = unwrap(node.callee);
  if (callee.type !== "MemberExpression") return [];
  const from = WRITERS[propertyName(callee) ?? ""];
  if (from !== undefined && look.code.isContext(callee.object)) return node.arguments.slice(from, from + 1);
  const reference = referenceOf(look.sourceCode, callee);
  return reference?.module === undefined && reference?.path.join(".") === "JSON.stringify" ? node.arguments.slice(0, 1) : [];
}

/** A return of the body itself: what a function inside of it gives, the body may look at. */
function isOfBody(look: Look<object>, node: Node): boolean {
  const around = enclosingFunction(node);
  const code = look.code.at(node);
  return code?.isBody === true && code.fn === around;
}

/** Winners in what is written: as it stands, or in the literals of which it is made. */
function winnersIn(look: Look<object>, node: Node): Node[] {
  const inner = unwrap(node);
  switch (inner.type) {
    case "ArrayExpression":
      return inner.elements.flatMap((element) => (element === null ? [] : winnersIn(look, element)));
    case "ObjectExpression":
      return inner.properties.flatMap((property) => (property.type === "Property" ? winnersIn(look, property.value) : []));
    case "ConditionalExpression":
      return [...winnersIn(look, inner.consequent), ...winnersIn(look, inner.alternate)];
    case "Identifier": {
      const variable = ownVariableOf(look.sourceCode, inner);
      const init = variable === undefined ? undefined : initOf(variable);
      return init !== undefined && isWinner(look, init) ? [inner] : [];
    }
    default:
      return isWinner(look, inner) ? [inner] : [];
  }
}

function isWinner(look: Look<object>, node: Node): boolean {
  const inner = unwrap(node);
  const awaited = inner.type === "AwaitExpression" || inner.type === "YieldExpression" ? inner.argument : undefined;
  return awaited !== undefined && awaited !== null && taskMethod(look.code, awaited) === "whenAny";
}
