// references: what a name or a chain of properties stands for, by scopes alone.
//
// Owns:    the way from an expression to the world's name of it: a global, or what a module shows.
// Is told: an expression and the scopes of its file.
// Tells:   where it comes from and by which properties; nothing when the file itself declares it, or when it cannot be known.
// Always:  R1 a name that the file declares is never taken for the global of that name.
//          R2 an alias is followed only when nobody assigns to it again.

import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { childrenOf, isFunction, keyName, parentOf, propertyName, textOf, unwrap } from "./syntax.ts";
import type { FunctionNode, Node, SourceCode } from "./syntax.ts";

export type Variable = TSESLint.Scope.Variable;

/** Something of the outside: `Date.now` is `{ module: undefined, path: ["Date", "now"] }`. */
export interface Reference {
  /** The module it is imported from, without `node:`; `undefined` for a global. */
  readonly module: string | undefined;
  /** Properties from there on; `"()"` for the result of a call. */
  readonly path: readonly string[];
  /** The variable of this file that stands for it, when it is not an import and not the global itself. */
  readonly alias?: Variable;
}

/** The variable that an identifier means where it stands; without one it is a global that nobody declared. */
export function variableOf(sourceCode: SourceCode, identifier: TSESTree.Identifier): Variable | undefined {
  let scope: TSESLint.Scope.Scope | null = sourceCode.getScope?.(identifier) ?? null;
  for (; scope !== null; scope = scope.upper) {
    const found = scope.set.get(identifier.name);
    if (found !== undefined && (found.defs.length > 0 || scope.upper === null)) return found;
  }
  return undefined;
}

/** The variable, if the file itself declares it. */
export function ownVariableOf(sourceCode: SourceCode, node: Node | undefined): Variable | undefined {
  if (node === undefined) return undefined;
  const inner = unwrap(node);
  if (inner.type !== "Identifier") return undefined;
  const variable = variableOf(sourceCode, inner);
  return variable !== undefined && variable.defs.length > 0 ? variable : undefined;
}

/** Whether nothing but its declaration gives a variable a value. */
export function isSettled(variable: Variable): boolean {
  return variable.defs.length === 1 && variable.references.every((reference) => !reference.isWrite() || reference.init === true);
}

/** The expression that a variable always stands for: `const x = <this>`. */
export function initOf(variable: Variable): Node | undefined {
  const [def] = variable.defs;
  if (!isSettled(variable) || def?.node.type !== "VariableDeclarator" || def.node.id.type !== "Identifier") return undefined;
  return def.node.init ?? undefined;
}

/** What an expression stands for outside of this file. */
export function referenceOf(sourceCode: SourceCode, node: Node, depth = 0): Reference | undefined {
  if (depth > 12) return undefined;
  const inner = unwrap(node);
  switch (inner.type) {
    case "Identifier":
      return referenceOfName(sourceCode, inner, depth);
    case "MemberExpression": {
      if (inner.object.type === "MetaProperty") return undefined;
      const name = propertyName(inner);
      const object = name === undefined ? undefined : referenceOf(sourceCode, inner.object, depth + 1);
      if (name === undefined || object === undefined) return undefined;
      // A property of the result of a global's call is a value like any other; what a module's call gives is still of the module.
      return extended(object, name);
    }
    case "CallExpression": {
      const required = requiredModule(sourceCode, inner);
      if (required !== undefined) return { module: required, path: [] };
      return resultOf(referenceOf(sourceCode, inner.callee, depth + 1));
    }
    case "NewExpression":
      return resultOf(referenceOf(sourceCode, inner.callee, depth + 1));
    case "AwaitExpression":
      return inner.argument.type === "ImportExpression"
        ? moduleReference(textOf(inner.argument.source))
        : referenceOf(sourceCode, inner.argument, depth + 1);
    default:
      return undefined;
  }
}

function resultOf(callee: Reference | undefined): Reference | undefined {
  return callee?.module === undefined ? undefined : extended(callee, "()");
}

function extended(reference: Reference, name: string): Reference {
  if (reference.module === undefined && reference.path.length === 1 && GLOBAL_OBJECTS.has(reference.path[0] ?? ""))
    return { ...reference, path: [name] };
  if (name === "default" && reference.module !== undefined && reference.path.length === 0) return reference;
  return { ...reference, path: [...reference.path, name] };
}

const GLOBAL_OBJECTS = new Set(["globalThis", "window", "self", "global"]);

function moduleReference(name: string | undefined): Reference | undefined {
  return name === undefined ? undefined : { module: name.replace(/^node:/, ""), path: [] };
}

/** `require("x")`, where `require` is the world's. */
function requiredModule(sourceCode: SourceCode, call: TSESTree.CallExpression): string | undefined {
  const { callee } = call;
  if (callee.type !== "Identifier" || callee.name !== "require" || ownVariableOf(sourceCode, callee) !== undefined) return undefined;
  return moduleReference(textOf(call.arguments[0]))?.module;
}

function referenceOfName(sourceCode: SourceCode, identifier: TSESTree.Identifier, depth: number): Reference | undefined {
  const variable = variableOf(sourceCode, identifier);
  if (variable === undefined || variable.defs.length === 0) return { module: undefined, path: [identifier.name] };
  const [def] = variable.defs;
  if (def === undefined || !isSettled(variable)) return undefined;
  if (def.type === ("ImportBinding" as typeof def.type)) return importReference(def.node, def.parent as Node | undefined);
  if (def.node.type !== "VariableDeclarator" || def.node.init === null || isForBinding(def.node)) return undefined;
  const source = referenceOf(sourceCode, def.node.init, depth + 1);
  const path = source === undefined ? undefined : bindingPath(def.node.id, identifier.name);
  if (source === undefined || path === undefined) return undefined;
  return { ...path.reduce(extended, source), alias: variable };
}

function isForBinding(node: TSESTree.VariableDeclarator): boolean {
  return node.parent.parent.type === "ForOfStatement" || node.parent.parent.type === "ForInStatement";
}

function importReference(specifier: Node, declaration: Node | undefined): Reference | undefined {
  if (declaration?.type !== "ImportDeclaration") return undefined;
  const source = moduleReference(declaration.source.value);
  if (source === undefined) return undefined;
  if (specifier.type !== "ImportSpecifier") return source;
  const name = specifier.imported.type === "Identifier" ? specifier.imported.name : specifier.imported.value;
  return extended(source, name);
}

/** By which properties a pattern comes to a name: `{ a: { b } }` to `b` by a, b. */
function bindingPath(pattern: Node, name: string): readonly string[] | undefined {
  if (pattern.type === "Identifier") return pattern.name === name ? [] : undefined;
  if (pattern.type === "AssignmentPattern") return bindingPath(pattern.left, name);
  if (pattern.type !== "ObjectPattern") return undefined;
  for (const property of pattern.properties) {
    if (property.type !== "Property") continue;
    const key = keyName(property);
    const rest = bindingPath(property.value, name);
    if (key !== undefined && rest !== undefined) return [key, ...rest];
  }
  return undefined;
}

/** The function of this file that an expression always stands for: by its name, as a method of an object or a class, or written there. */
export function functionOf(sourceCode: SourceCode, node: Node | undefined, depth = 0): FunctionNode | undefined {
  if (node === undefined || depth > 12) return undefined;
  const inner = unwrap(node);
  if (isFunction(inner)) return inner;
  if (inner.type === "Identifier") {
    const variable = ownVariableOf(sourceCode, inner);
    const [def] = variable?.defs ?? [];
    if (variable === undefined || def === undefined || !isSettled(variable)) return undefined;
    if (isFunction(def.node) && def.node.id?.name === inner.name) return def.node;
    return functionOf(sourceCode, initOf(variable), depth + 1);
  }
  if (inner.type !== "MemberExpression") return undefined;
  const name = propertyName(inner);
  const owner = name === undefined ? undefined : ownerOf(sourceCode, inner.object);
  const value = owner === undefined || name === undefined ? undefined : memberOf(owner, name);
  return functionOf(sourceCode, value, depth + 1);
}

interface Owner {
  readonly node: TSESTree.ObjectExpression | TSESTree.ClassBody;
  readonly isStatic: boolean;
}

/** The object literal or the class that an expression means: a constant, a class's name, or `this` in one. */
function ownerOf(sourceCode: SourceCode, node: Node): Owner | undefined {
  const inner = unwrap(node);
  if (inner.type === "ThisExpression") return ownerOfThis(inner);
  const variable = ownVariableOf(sourceCode, inner);
  const [def] = variable?.defs ?? [];
  if (variable === undefined || def === undefined || !isSettled(variable)) return undefined;
  if (def.node.type === "ClassDeclaration") return { node: def.node.body, isStatic: true };
  const init = initOf(variable);
  const value = init === undefined ? undefined : unwrap(init);
  if (value?.type === "ObjectExpression") return { node: value, isStatic: false };
  if (value?.type === "NewExpression") {
    const made = ownVariableOf(sourceCode, value.callee)?.defs[0]?.node as Node | undefined;
    return made?.type === "ClassDeclaration" ? { node: made.body, isStatic: false } : undefined;
  }
  return undefined;
}

function ownerOfThis(node: Node): Owner | undefined {
  for (let at = parentOf(node); at !== undefined; at = parentOf(at)) {
    if (at.type === "ArrowFunctionExpression") continue;
    if (at.type === "PropertyDefinition" || at.type === "MethodDefinition") return { node: at.parent, isStatic: at.static };
    if (!isFunction(at)) continue;
    const holder: Node | undefined = at.parent;
    if (holder?.type === "MethodDefinition") return { node: holder.parent, isStatic: holder.static };
    if (holder?.type === "Property" && holder.parent.type === "ObjectExpression") return { node: holder.parent, isStatic: false };
    return undefined;
  }
  return undefined;
}

function memberOf(owner: Owner, name: string): Node | undefined {
  if (owner.node.type === "ObjectExpression") {
    const found = owner.node.properties.find((one) => one.type === "Property" && keyName(one) === name);
    return found?.type === "Property" ? found.value : undefined;
  }
  for (const member of owner.node.body) {
    if (member.type !== "MethodDefinition" && member.type !== "PropertyDefinition") continue;
    if (member.static === owner.isStatic && keyName(member) === name) return member.value ?? undefined;
  }
  return undefined;
}

/** Whether anything in an expression means one of these variables. */
export function mentions(sourceCode: SourceCode, node: Node, isMeant: (variable: Variable) => boolean): boolean {
  if (node.type === "Identifier") {
    const variable = ownVariableOf(sourceCode, node);
    if (variable !== undefined && isMeant(variable)) return true;
  }
  return childrenOf(sourceCode, node).some((child) => mentions(sourceCode, child, isMeant));
}
