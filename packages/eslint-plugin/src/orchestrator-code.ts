// orchestrator code: which functions of a file run as part of an orchestrator, and by which name they have its context.
//
// Owns:    what counts as orchestrator code.
// Is told: a file; the modules from which `orchestrator` comes.
// Tells:   for a node whether it is orchestrator code, and how to write the context there.
// Always:  C1 what an activity does is never orchestrator code, wherever it is written.
//          C2 a function counts when it is a body, takes the context, or is called by one that counts; guesses by names do not count.

import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { functionOf, initOf, ownVariableOf, referenceOf } from "./references.ts";
import type { Variable } from "./references.ts";
import { childrenOf, isFunction, parentOf, propertyName, textOf, unwrap, walk } from "./syntax.ts";
import type { FunctionNode, Node, SourceCode } from "./syntax.ts";
import { kindOfContract } from "./type-information.ts";

/** A function that runs as part of an orchestrator. */
export interface Code {
  readonly fn: FunctionNode;
  /** What is handed to `orchestrator`; everything else is called by it. */
  readonly isBody: boolean;
}

/** What is known of a file. */
export interface OrchestratorCode {
  readonly functions: readonly Code[];
  /** The innermost such function around a node. */
  at(node: Node): Code | undefined;
  /** The outermost one: what is declared outside of it outlives a replay. */
  regionOf(node: Node): FunctionNode | undefined;
  /** How the context is written at a node: `ctx`, or `context.df`. Nothing when no name of it reaches there. */
  contextAt(node: Node): string | undefined;
  /** Whether an expression is the context. */
  isContext(node: Node): boolean;
  /** Whether an expression is an entity as the context gives it, whose functions are calls. */
  isEntity(node: Node): boolean;
  /** Whether an expression is an activity's definition, or the function that is its body. */
  isActivity(node: Node): boolean;
}

/** Calls that give a task. */
const TASK_METHODS = new Set([
  ...[
    "callActivity",
    "callSubOrchestrator",
    "createTimer",
    "waitForExternalEvent",
    "whenAll",
    "whenAny",
    "first",
    "map",
    "try",
    "lockEntities",
  ],
  ...["callActivityWithRetry", "callSubOrchestratorWithRetry", "callHttp"],
]);
/** Methods that nothing but an orchestrator's context has: a parameter on which they are called is one. */
const TELLING_METHODS = new Set([
  "callActivity",
  "callSubOrchestrator",
  "waitForExternalEvent",
  "lockEntities",
  "continueAsNew",
  "callActivityWithRetry",
]);
const CONTEXT_TYPES = new Set(["OrchestratorContext", "OrchestrationContext"]);
const BODY_TYPES = new Set(["OrchestratorBody", "TOrchestrator", "OrchestrationHandler"]);
/** Methods that call what they are given, at once or in a later turn of the same program. */
const CALLERS = new Set([
  ...["map", "filter", "forEach", "flatMap", "reduce", "reduceRight", "some", "every", "find", "findIndex", "findLast", "findLastIndex"],
  ...["sort", "toSorted", "from", "then", "catch", "finally"],
]);

const known = new WeakMap<object, OrchestratorCode>();

/** Reads a file once, however many rules ask. */
export function orchestratorCode(sourceCode: SourceCode, modules: readonly string[]): OrchestratorCode {
  const before = known.get(sourceCode.ast);
  if (before !== undefined) return before;
  const code = new Reading(sourceCode, modules).read();
  known.set(sourceCode.ast, code);
  return code;
}

/** The name of the method by which a call makes a task, when it does. */
export function taskMethod(code: OrchestratorCode, node: Node): string | undefined {
  const call = unwrap(node);
  if (call.type !== "CallExpression") return undefined;
  const callee = unwrap(call.callee);
  if (callee.type !== "MemberExpression") return undefined;
  const name = propertyName(callee);
  if (name === undefined) return undefined;
  if (TASK_METHODS.has(name) && code.isContext(callee.object)) return name;
  if (code.isEntity(callee.object)) return `entity ${name}`;
  // Other SDKs of the family: context.df.Task.all([...])
  const owner = unwrap(callee.object);
  const isTaskClass = owner.type === "MemberExpression" && propertyName(owner) === "Task" && code.isContext(owner.object);
  return isTaskClass ? { all: "whenAll", any: "whenAny" }[name] : undefined;
}

class Reading implements OrchestratorCode {
  readonly #sourceCode: SourceCode;
  readonly #modules: ReadonlySet<string>;
  readonly #codes = new Map<FunctionNode, Code>();
  readonly #activityBodies = new Set<FunctionNode>();
  /** Variables that hold the context, with what comes between it and its methods. */
  readonly #contexts = new Map<Variable, "" | ".df">();

  constructor(sourceCode: SourceCode, modules: readonly string[]) {
    this.#sourceCode = sourceCode;
    this.#modules = new Set(modules);
  }

  get functions(): readonly Code[] {
    return [...this.#codes.values()];
  }

  read(): this {
    const found: Node[] = [];
    walk(this.#sourceCode, this.#sourceCode.ast, (node) => {
      if (node.type === "CallExpression" || isFunction(node) || node.type === "VariableDeclarator") found.push(node);
    });
    for (const node of found) if (node.type === "CallExpression") this.#readDefinition(node);
    for (const node of found) {
      if (isFunction(node)) this.#readSignature(node);
      else if (node.type === "VariableDeclarator") this.#readDeclaredType(node);
      else if (node.type === "CallExpression") this.#readContextCall(node);
    }
    this.#followCalls();
    return this;
  }

  // ---- what is said

  at(node: Node): Code | undefined {
    for (let at: Node | undefined = node; at !== undefined; at = parentOf(at)) {
      if (!isFunction(at)) continue;
      if (this.#activityBodies.has(at)) return undefined;
      const code = this.#codes.get(at);
      if (code !== undefined) return code;
    }
    return undefined;
  }

  regionOf(node: Node): FunctionNode | undefined {
    let outermost: FunctionNode | undefined;
    for (let at: Node | undefined = node; at !== undefined; at = parentOf(at)) {
      if (!isFunction(at)) continue;
      if (this.#activityBodies.has(at)) break;
      if (this.#codes.has(at)) outermost = at;
    }
    return outermost;
  }

  contextAt(node: Node): string | undefined {
    const hidden = new Set<string>();
    let scope: TSESLint.Scope.Scope | null = this.#sourceCode.getScope?.(node) ?? null;
    for (; scope !== null; scope = scope.upper) {
      for (const variable of scope.variables) {
        const suffix = this.#contexts.get(variable);
        if (suffix !== undefined && !hidden.has(variable.name)) return `${variable.name}${suffix}`;
        hidden.add(variable.name);
      }
    }
    return undefined;
  }

  isContext(node: Node): boolean {
    const inner = unwrap(node);
    if (inner.type === "MemberExpression") return propertyName(inner) === "df" && this.isContext(inner.object);
    const variable = ownVariableOf(this.#sourceCode, inner);
    if (variable === undefined) return false;
    if (this.#contexts.has(variable)) return true;
    const init = initOf(variable);
    return init !== undefined && unwrap(init).type === "Identifier" && this.isContext(init);
  }

  isEntity(node: Node): boolean {
    const inner = unwrap(node);
    if (inner.type === "CallExpression") {
      const callee = unwrap(inner.callee);
      return callee.type === "MemberExpression" && propertyName(callee) === "entity" && this.isContext(callee.object);
    }
    const variable = ownVariableOf(this.#sourceCode, inner);
    const init = variable === undefined ? undefined : initOf(variable);
    return init !== undefined && unwrap(init).type === "CallExpression" && this.isEntity(init);
  }

  isActivity(node: Node): boolean {
    const fn = functionOf(this.#sourceCode, node);
    if (fn !== undefined) return this.#activityBodies.has(fn);
    const variable = ownVariableOf(this.#sourceCode, node);
    const init = variable === undefined ? undefined : initOf(variable);
    return init !== undefined && this.#kindOfDefinition(init) === "activity";
  }

  // ---- bodies

  /** `orchestrator(name, [spec,] body)`, `activity(...)`, `contract.run(body)`, `stub(definition, body)`. */
  #readDefinition(call: TSESTree.CallExpression): void {
    const last = call.arguments.at(-1);
    if (last === undefined || last.type === "SpreadElement") return;
    const shown = this.#ownExport(call.callee);
    if (shown === "orchestrator" || shown === "activity" || shown === "stub") {
      const fn = call.arguments.length > 1 ? functionOf(this.#sourceCode, last) : undefined;
      if (fn !== undefined) this.#addBody(fn, shown === "orchestrator");
      return;
    }
    const callee = unwrap(call.callee);
    if (callee.type !== "MemberExpression" || propertyName(callee) !== "run" || call.arguments.length !== 1) return;
    const variable = ownVariableOf(this.#sourceCode, callee.object);
    const init = variable === undefined ? callee.object : initOf(variable);
    const kind = (init && this.#kindOfDefinition(init)) ?? kindOfContract(this.#sourceCode, callee.object);
    const fn = kind === undefined ? undefined : functionOf(this.#sourceCode, last);
    if (fn !== undefined) this.#addBody(fn, kind === "orchestrator");
  }

  #addBody(fn: FunctionNode, isOrchestrator: boolean): void {
    if (!isOrchestrator) {
      this.#activityBodies.add(fn);
      return;
    }
    this.#codes.set(fn, { fn, isBody: true });
    this.#addContext(fn, 0);
  }

  #kindOfDefinition(node: Node): "orchestrator" | "activity" | undefined {
    const inner = unwrap(node);
    if (inner.type !== "CallExpression") return undefined;
    const shown = this.#ownExport(inner.callee);
    if (shown === "orchestrator" || shown === "activity") return shown;
    const callee = unwrap(inner.callee);
    if (callee.type !== "MemberExpression" || propertyName(callee) !== "run") return undefined;
    const variable = ownVariableOf(this.#sourceCode, callee.object);
    const init = variable === undefined ? undefined : initOf(variable);
    return init === undefined ? undefined : this.#kindOfDefinition(init);
  }

  /** The name under which one of the modules shows what an expression stands for. */
  #ownExport(node: Node): string | undefined {
    const reference = referenceOf(this.#sourceCode, node);
    if (reference?.module === undefined || reference.path.length !== 1) return undefined;
    const isOurs = this.#modules.has(reference.module) || this.#modules.has(reference.module.replace(/\/testing$/, ""));
    return isOurs ? reference.path[0] : undefined;
  }

  // ---- signatures

  #readSignature(fn: FunctionNode): void {
    fn.params.forEach((param, index) => {
      const identifier = param.type === "AssignmentPattern" ? param.left : param;
      if (identifier.type === "Identifier" && CONTEXT_TYPES.has(typeName(identifier.typeAnnotation?.typeAnnotation) ?? "")) {
        if (!this.#codes.has(fn)) this.#codes.set(fn, { fn, isBody: false });
        this.#addContext(fn, index);
      }
    });
  }

  #readDeclaredType(declarator: TSESTree.VariableDeclarator): void {
    const { id, init } = declarator;
    if (id.type !== "Identifier" || init === null || !BODY_TYPES.has(typeName(id.typeAnnotation?.typeAnnotation) ?? "")) return;
    const fn = functionOf(this.#sourceCode, init);
    if (fn !== undefined) this.#addBody(fn, true);
  }

  /** A parameter on which `callActivity` and its like are called is a context, and its function orchestrator code. */
  #readContextCall(call: TSESTree.CallExpression): void {
    const callee = unwrap(call.callee);
    if (callee.type !== "MemberExpression" || !TELLING_METHODS.has(propertyName(callee) ?? "")) return;
    let object = unwrap(callee.object);
    if (object.type === "MemberExpression" && propertyName(object) === "df") object = unwrap(object.object);
    const [def] = ownVariableOf(this.#sourceCode, object)?.defs ?? [];
    if (def === undefined || def.type !== ("Parameter" as typeof def.type) || !isFunction(def.node)) return;
    const fn = def.node;
    const index = fn.params.findIndex((param) => param === def.name || (param.type === "AssignmentPattern" && param.left === def.name));
    if (index < 0 || this.#activityBodies.has(fn) || this.#hasOtherContext(fn, index)) return;
    if (!this.#codes.has(fn)) this.#codes.set(fn, { fn, isBody: index === 0 && isHandedOver(fn) });
    this.#addContext(fn, index);
  }

  #hasOtherContext(fn: FunctionNode, index: number): boolean {
    const declared = this.#sourceCode.getDeclaredVariables?.(fn) ?? [];
    return declared.some((one) => this.#contexts.has(one) && !one.identifiers.some((each) => fn.params.indexOf(each) === index));
  }

  #addContext(fn: FunctionNode, index: number): boolean {
    const param = fn.params[index];
    const identifier = param?.type === "AssignmentPattern" ? param.left : param;
    if (identifier?.type !== "Identifier") return false;
    const variable = this.#sourceCode.getDeclaredVariables?.(fn).find((one) => one.identifiers.includes(identifier));
    if (variable === undefined || this.#contexts.has(variable)) return false;
    const isOfOtherSdk = variable.references.some(({ identifier: { parent } }) => {
      return parent?.type === "MemberExpression" && propertyName(parent) === "df";
    });
    this.#contexts.set(variable, isOfOtherSdk ? ".df" : "");
    return true;
  }

  // ---- what they call

  #followCalls(): void {
    const walked = new Set<FunctionNode>();
    let changed = true;
    while (changed) {
      changed = false;
      for (const fn of [...this.#codes.keys()]) {
        if (walked.has(fn)) continue;
        walked.add(fn);
        changed = true;
        this.#followCallsOf(fn, () => walked.clear());
      }
    }
  }

  #followCallsOf(fn: FunctionNode, again: () => void): void {
    const call = (node: Node | undefined, args: readonly Node[]): void => {
      const called = functionOf(this.#sourceCode, node);
      if (called === undefined || this.#activityBodies.has(called)) return;
      if (this.at(called) === undefined) this.#codes.set(called, { fn: called, isBody: false });
      args.forEach((argument, index) => {
        if (this.isContext(argument) && this.#addContext(called, index)) again();
      });
    };
    for (const child of childrenOf(this.#sourceCode, fn)) {
      walk(this.#sourceCode, child, (node) => {
        if (isFunction(node) && this.#activityBodies.has(node)) return false;
        if (node.type !== "CallExpression") return true;
        call(node.callee, node.arguments);
        const callee = unwrap(node.callee);
        const name = callee.type === "MemberExpression" ? propertyName(callee) : undefined;
        if (name !== undefined && CALLERS.has(name)) for (const argument of node.arguments) call(argument, []);
        return true;
      });
    }
  }
}

function typeName(type: TSESTree.TypeNode | undefined): string | undefined {
  if (type?.type !== "TSTypeReference") return undefined;
  return type.typeName.type === "Identifier"
    ? type.typeName.name
    : type.typeName.type === "TSQualifiedName"
      ? type.typeName.right.name
      : undefined;
}

/** Whether a function is an argument, as a body is that somebody registers. */
function isHandedOver(fn: FunctionNode): boolean {
  const { parent } = fn;
  return (
    fn.generator ||
    (parent.type === "CallExpression" && parent.arguments.some((argument) => argument === fn) && textOf(parent.arguments[0]) !== undefined)
  );
}
