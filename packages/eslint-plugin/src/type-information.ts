// type information: what the compiler knows, when the parser brings it along. Every question here has the answer "not known".
import type { ParserServicesWithTypeInformation } from "@typescript-eslint/utils";
import { unwrap } from "./syntax.ts";
import type { Node, SourceCode } from "./syntax.ts";

type Type = ReturnType<ParserServicesWithTypeInformation["getTypeAtLocation"]>;

function typeOf(sourceCode: SourceCode, node: Node): Type | undefined {
  const services = sourceCode.parserServices as Partial<ParserServicesWithTypeInformation> | undefined;
  return services?.program ? services.getTypeAtLocation?.(node) : undefined;
}

/** Whether a value is a contract of one or the other kind, or a definition. */
export function kindOfContract(sourceCode: SourceCode, node: Node): "orchestrator" | "activity" | undefined {
  const services = sourceCode.parserServices as Partial<ParserServicesWithTypeInformation> | undefined;
  const kind = typeOf(sourceCode, unwrap(node))?.getProperty("kind");
  if (kind === undefined || !services?.program) return undefined;
  const type = services.program.getTypeChecker().getTypeOfSymbol(kind);
  const value: unknown = type.isStringLiteral() ? type.value : undefined;
  if (value === "orchestrator-contract" || value === "orchestrator") return "orchestrator";
  if (value === "activity-contract" || value === "activity") return "activity";
  return undefined;
}

/** Whether a value is a durable task: something to await that knows whether it has completed. */
export function isTask(sourceCode: SourceCode, node: Node): boolean {
  const type = typeOf(sourceCode, node);
  return type !== undefined && ["then", "result", "isCompleted", "isFailed"].every((name) => type.getProperty(name) !== undefined);
}

/** Whether a value is the language's own promise. */
export function isPromise(sourceCode: SourceCode, node: Node): boolean {
  return typeOf(sourceCode, node)?.getSymbol()?.getName() === "Promise";
}

/** Whether a value is something that was got from a task hub, by the name of its type. */
export function isOfTaskHub(sourceCode: SourceCode, node: Node): boolean {
  return /^(?:Hub|TaskHub|TestHub|OrchestrationHandle)$/.test(typeOf(sourceCode, node)?.getSymbol()?.getName() ?? "");
}
