// uses: every place in orchestrator code where a name stands for something of the outside.
//
// Always:  U1 a chain is told once, whole: `process.env.HOME`, not `process` as well.
//          U2 a name given inside of orchestrator code is not told again where it is used: its declaration was.

import type { TSESTree } from "@typescript-eslint/utils";
import { orchestratorCode } from "./orchestrator-code.ts";
import type { Code, OrchestratorCode } from "./orchestrator-code.ts";
import { ownVariableOf, referenceOf } from "./references.ts";
import type { Reference } from "./references.ts";
import { callOf, childrenOf, isFunction, unwrap, wrapped } from "./syntax.ts";
import type { FunctionNode, Node, SourceCode } from "./syntax.ts";

export interface Use {
  readonly node: Node;
  readonly reference: Reference;
  /** The call or construction of which it is the callee. */
  readonly call: TSESTree.CallExpression | TSESTree.NewExpression | undefined;
  /** It is called, constructed, or the tag of a template. */
  readonly isCalled: boolean;
  readonly code: Code;
}

const known = new WeakMap<object, readonly Use[]>();

/** All uses of a file, found once, however many rules ask. */
export function usesIn(sourceCode: SourceCode, modules: readonly string[]): readonly Use[] {
  const before = known.get(sourceCode.ast);
  if (before !== undefined) return before;
  const uses: Use[] = [];
  const code = orchestratorCode(sourceCode, modules);
  const seen = new Set<Node>();
  for (const { fn } of code.functions) collect(sourceCode, code, fn, seen, uses);
  uses.sort((a, b) => a.node.range[0] - b.node.range[0]);
  known.set(sourceCode.ast, uses);
  return uses;
}

function collect(sourceCode: SourceCode, code: OrchestratorCode, root: FunctionNode, seen: Set<Node>, uses: Use[]): void {
  const visit = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (isFunction(node) && code.at(node) === undefined) return;
    if (isChain(node) || (node.type === "Identifier" && isValue(node))) {
      const use = useOf(sourceCode, code, node);
      if (use !== undefined) {
        uses.push(use);
        if (node.type === "Identifier") return;
        for (let at: Node = node; at.type === "MemberExpression"; at = unwrap(at.object)) if (at.computed) visit(at.property);
        return;
      }
    }
    for (const child of childrenOf(sourceCode, node)) visit(child);
  };
  visit(root);
}

/** A chain of properties that begins with a name. */
function isChain(node: Node): node is TSESTree.MemberExpression {
  let at = node;
  while (at.type === "MemberExpression") at = unwrap(at.object);
  return node.type === "MemberExpression" && at.type === "Identifier";
}

/** Whether an identifier stands for a value where it is, and is no key, label or declaration. */
function isValue(node: TSESTree.Identifier): boolean {
  const { parent } = node;
  switch (parent.type) {
    case "MemberExpression":
      return parent.object === node || parent.computed;
    case "Property":
      return parent.value === node || parent.computed;
    case "MethodDefinition":
    case "PropertyDefinition":
      return parent.value === node || parent.computed;
    case "UnaryExpression":
      return parent.operator !== "typeof";
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
    case "MetaProperty":
      return false;
    default:
      return true;
  }
}

function useOf(sourceCode: SourceCode, code: OrchestratorCode, node: TSESTree.MemberExpression | TSESTree.Identifier): Use | undefined {
  const place = code.at(node);
  const reference = place === undefined ? undefined : referenceOf(sourceCode, node);
  if (place === undefined || reference === undefined) return undefined;
  if (node.type === "Identifier" && ownVariableOf(sourceCode, node)?.identifiers.includes(node) === true) return undefined;
  const declarator = node.type === "MemberExpression" ? undefined : (reference.alias?.defs[0]?.node as Node | undefined);
  if (declarator?.type === "VariableDeclarator" && declarator.id.type === "Identifier" && code.at(declarator) !== undefined)
    return undefined;
  const call = callOf(node);
  const { parent } = wrapped(node);
  const isTag = parent?.type === "TaggedTemplateExpression" && parent.tag === wrapped(node);
  return { node, reference, call, isCalled: call !== undefined || isTag, code: place };
}
