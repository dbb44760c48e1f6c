// syntax: how the tree of a file is walked and read, whichever parser made it.
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";

export type Node = TSESTree.Node;
export type SourceCode = Readonly<TSESLint.SourceCode>;
export type FunctionNode = TSESTree.FunctionDeclaration | TSESTree.FunctionExpression | TSESTree.ArrowFunctionExpression;

/** What is around a node. The program itself has nothing around it, which parsers write in two ways. */
export function parentOf(node: Node): Node | undefined {
  return node.parent ?? undefined;
}

export function isFunction(node: Node | null | undefined): node is FunctionNode {
  return node?.type === "FunctionDeclaration" || node?.type === "FunctionExpression" || node?.type === "ArrowFunctionExpression";
}

/** What TypeScript lets a person write around an expression without changing its value. */
const WRAPPERS = new Set([
  "TSAsExpression",
  "TSNonNullExpression",
  "TSSatisfiesExpression",
  "TSTypeAssertion",
  "TSInstantiationExpression",
]);

/** The expression under `as`, `!`, `satisfies` and the optional chain. */
export function unwrap(node: Node): Node {
  let inner = node;
  while (WRAPPERS.has(inner.type) || inner.type === "ChainExpression") inner = (inner as TSESTree.TSAsExpression).expression;
  return inner;
}

/** The outermost expression that has this one's value: `x!` for `x`, `await x` not. */
export function wrapped(node: Node): Node {
  let outer = node;
  for (let at = parentOf(outer); at !== undefined && (WRAPPERS.has(at.type) || at.type === "ChainExpression"); at = parentOf(at))
    outer = at;
  return outer;
}

/** The children that are evaluated; types are left out. */
export function childrenOf(sourceCode: SourceCode, node: Node): Node[] {
  const children: Node[] = [];
  for (const key of sourceCode.visitorKeys[node.type] ?? []) {
    const value = (node as unknown as Record<string, unknown>)[key];
    for (const child of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (isNode(child) && (!child.type.startsWith("TS") || WRAPPERS.has(child.type))) children.push(child);
    }
  }
  return children;
}

/** A node and all that is evaluated in it, parents first. `enter` returns false to leave out what is below. */
export function walk(sourceCode: SourceCode, node: Node, enter: (node: Node) => boolean | void): void {
  if (enter(node) === false) return;
  for (const child of childrenOf(sourceCode, node)) walk(sourceCode, child, enter);
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** The innermost function around a node, itself not counted. */
export function enclosingFunction(node: Node): FunctionNode | undefined {
  for (let at = parentOf(node); at !== undefined; at = parentOf(at)) if (isFunction(at)) return at;
  return undefined;
}

/** The name that stands after the dot, or the text between the brackets. */
export function propertyName(node: TSESTree.MemberExpression): string | undefined {
  if (!node.computed) return node.property.type === "Identifier" ? node.property.name : undefined;
  return textOf(node.property);
}

/** The key of a property or a binding, when it is known from the text. */
export function keyName(node: { readonly computed: boolean; readonly key: Node }): string | undefined {
  if (!node.computed && node.key.type === "Identifier") return node.key.name;
  return textOf(node.key);
}

/** The value of a text written out, without holes. */
export function textOf(node: Node | undefined): string | undefined {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral" && node.expressions.length === 0) return node.quasis[0]?.value.cooked ?? undefined;
  return undefined;
}

/** The call or construction of which this expression is the callee. */
export function callOf(node: Node): TSESTree.CallExpression | TSESTree.NewExpression | undefined {
  const outer = wrapped(node);
  const { parent } = outer;
  return (parent?.type === "CallExpression" || parent?.type === "NewExpression") && parent.callee === outer ? parent : undefined;
}

/** Whether `outer` contains `inner`, or is it. */
export function contains(outer: Node, inner: Node): boolean {
  for (let at: Node | undefined = inner; at !== undefined; at = parentOf(at)) if (at === outer) return true;
  return false;
}
