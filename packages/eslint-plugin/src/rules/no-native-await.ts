// no-native-await: an orchestrator waits for durable tasks and for nothing else. What else it waits for is in no history.
import type { TSESTree } from "@typescript-eslint/utils";
import { taskMethod } from "../orchestrator-code.ts";
import { functionOf, initOf, mentions, ownVariableOf, referenceOf } from "../references.ts";
import type { Variable } from "../references.ts";
import { defineRule, isModuleOf, isOneOf, nameOfReference } from "../rule.ts";
import type { Look } from "../rule.ts";
import { isFunction, propertyName, unwrap } from "../syntax.ts";
import type { Node } from "../syntax.ts";
import { isPromise, isTask } from "../type-information.ts";

const NATIVE = ["crypto.subtle", "crypto#subtle", "events#once", "events#on", "stream/promises#finished", "stream/promises#pipeline"];
const COMBINATORS = ["Promise.all", "Promise.allSettled", "Promise.race", "Promise.any"];

export const noNativeAwait = defineRule({
  name: "no-native-await",
  about: "disallow awaiting what is not a durable task in orchestrators",
  options: { allow: [] as readonly string[] },
  messages: {
    wait: "`{{what}}` is a promise of this process and no durable task: nothing records it, and the orchestrator fails with NON_DURABLE_WAIT. Do the work in an activity with `{{ctx}}.callActivity(...)`, and wait with `{{ctx}}.createTimer(...)` or `{{ctx}}.waitForExternalEvent(...)`.{{where}}",
    module:
      "`{{what}}` is loaded again, and later, at every replay. Import it at the head of the file, or in the activity that needs it.{{where}}",
  },
  find(look) {
    const reported = new Set<Node>();
    look.eachNode((node) => {
      const awaited = node.type === "AwaitExpression" || node.type === "YieldExpression" ? node.argument : undefined;
      if (awaited === undefined || awaited === null) return;
      for (const native of nativesIn(look, awaited, 0)) {
        if (reported.has(native)) continue;
        reported.add(native);
        const what = shortened(look.textOf(native));
        look.report({ node: native, messageId: native.type === "ImportExpression" ? "module" : "wait", data: { what } });
      }
    });
  },
});

interface Options {
  readonly allow: readonly string[];
}

/** The promises of the process that an expression waits for. */
function nativesIn(look: Look<Options>, node: Node, depth: number): Node[] {
  const inner = unwrap(node);
  if (depth > 6) return [];
  if (inner.type === "ImportExpression") return [inner];
  if (inner.type === "ArrayExpression") return inner.elements.flatMap((one) => (one === null ? [] : nativesIn(look, one, depth + 1)));
  if (inner.type === "ConditionalExpression")
    return [...nativesIn(look, inner.consequent, depth + 1), ...nativesIn(look, inner.alternate, depth + 1)];
  if (inner.type === "NewExpression") return nameOf(look, inner.callee) === "Promise" && !isMadeOfTasks(look, inner) ? [inner] : [];
  if (inner.type === "Identifier") {
    const variable = ownVariableOf(look.sourceCode, inner);
    const init = variable === undefined ? undefined : initOf(variable);
    const natives = init === undefined ? [] : nativesIn(look, init, depth + 1);
    // What was made outside is told where it is waited for.
    return init !== undefined && natives.length > 0 && look.code.at(init) === undefined ? [inner] : natives;
  }
  if (inner.type === "MemberExpression") return isResolvers(look, inner) ? [inner] : [];
  return inner.type === "CallExpression" ? nativesOfCall(look, inner, depth) : [];
}

function nativesOfCall(look: Look<Options>, call: TSESTree.CallExpression, depth: number): Node[] {
  const callee = unwrap(call.callee);
  const name = nameOf(look, callee);
  const [first] = call.arguments;
  if (name !== undefined && COMBINATORS.includes(name)) return first === undefined ? [] : nativesIn(look, first, depth + 1);
  if (name !== undefined && isOneOf(name, NATIVE)) return [call];
  const method = callee.type === "MemberExpression" ? propertyName(callee) : undefined;
  if (callee.type === "MemberExpression" && (method === "then" || method === "catch" || method === "finally"))
    return nativesIn(look, callee.object, depth + 1);
  return isForeignPromise(look, call) ? [call] : [];
}

/**
 * With types: a promise of a function from elsewhere that was handed neither the context, nor a task, nor a function. Nothing durable can
 * be behind it.
 */
function isForeignPromise(look: Look<Options>, call: TSESTree.CallExpression): boolean {
  const { sourceCode, code, options } = look;
  if (!isPromise(sourceCode, call) || taskMethod(code, call) !== undefined) return false;
  const reference = referenceOf(sourceCode, call.callee);
  if (reference?.module === undefined || functionOf(sourceCode, call.callee) !== undefined) return false;
  if (isModuleOf(reference.module, options.allow) || isToldElsewhere(look, call)) return false;
  return !call.arguments.some(
    (argument) =>
      isFunction(unwrap(argument)) ||
      isTask(sourceCode, argument) ||
      mentions(sourceCode, argument, (variable) => isDurable(look, variable)),
  );
}

/** I/O, timers and hubs have rules of their own, which say more. */
function isToldElsewhere(look: Look<Options>, call: TSESTree.CallExpression): boolean {
  const reference = referenceOf(look.sourceCode, call.callee);
  return isModuleOf(reference?.module, ["fs", "timers/promises", "dns", "ostinato", "child_process", "readline"]);
}

/** `new Promise((done) => task.then(done))` waits for a task in the end. */
function isMadeOfTasks(look: Look<Options>, node: Node): boolean {
  return mentions(look.sourceCode, node, (variable) => isDurable(look, variable));
}

function isDurable(look: Look<Options>, variable: Variable): boolean {
  const [identifier] = variable.identifiers;
  if (identifier !== undefined && look.code.isContext(identifier)) return true;
  const init = initOf(variable);
  return init !== undefined && mentionsContext(look, init);
}

function mentionsContext(look: Look<Options>, node: Node): boolean {
  return mentions(look.sourceCode, node, (variable) => {
    const [identifier] = variable.identifiers;
    return identifier !== undefined && look.code.isContext(identifier);
  });
}

/** `Promise.withResolvers().promise`, or the `promise` of a constant made by it, when nobody durable resolves it. */
function isResolvers(look: Look<Options>, node: TSESTree.MemberExpression): boolean {
  if (propertyName(node) !== "promise") return false;
  const object = unwrap(node.object);
  const variable = ownVariableOf(look.sourceCode, object);
  const made = variable === undefined ? object : initOf(variable);
  const call = made === undefined ? undefined : unwrap(made);
  return call?.type === "CallExpression" && nameOf(look, call.callee) === "Promise.withResolvers";
}

function nameOf(look: Look<Options>, node: Node): string | undefined {
  const reference = referenceOf(look.sourceCode, node);
  return reference === undefined ? undefined : nameOfReference(reference);
}

function shortened(text: string): string {
  const [line = ""] = text.split("\n");
  return line.length > 60 || line !== text ? `${line.slice(0, 57).trimEnd()} ...` : line;
}
