// oracle: what a program comes to, computed without the product.
//
// Owns:    the meaning of each instruction, written down a second time; where two things race, both outcomes.
import { isListStep, listEntriesOf } from "./lists.ts";
import { NEW_CODE, squared, type Program, type Step } from "./programs.ts";

/** What may have been done to the instances of a program from outside. */
export interface Outside {
  /** Somebody asked for the end of this instance. */
  readonly endedFromOutside: (id: string) => boolean;
  /** The id may have been taken by a child of an earlier instance. */
  readonly mayBeTaken: (id: string) => boolean;
}

/** What must come of a program: it ends with this log, or fails with this message. */
export type Prediction =
  { readonly kind: "ends"; readonly log: readonly (readonly string[])[] } | { readonly kind: "fails"; readonly message: string };

/** What a program comes to that is run under an id, in a version. */
export function predict(program: Program, id: string, version: string, outside: Outside): Prediction {
  const log: (readonly string[])[] = [];
  for (const [at, step] of program.entries()) {
    if (step.do === "throw") return { kind: "fails", message: `thrown at ${at}` };
    const entries = entriesOf(step, id, at, version, outside);
    // Restarted from one that had continued as new, it begins with what that one had come to before.
    const source = program.slice(at).some((later) => later.do === "again" || later.do === "section-again") ? sourceOf(id) : undefined;
    log.push(source === undefined ? entries : [...entries, ...entriesOf(step, source, at, version, outside)]);
  }
  return { kind: "ends", log };
}

/** Of an instance that was restarted under an id of its own: the one it was made from. */
function sourceOf(id: string): string | undefined {
  const at = id.lastIndexOf("~");
  return at === -1 ? undefined : id.slice(0, at);
}

function entriesOf(step: Exclude<Step, { do: "throw" }>, id: string, at: number, version: string, outside: Outside): readonly string[] {
  if (isListStep(step)) return listEntriesOf(step);
  switch (step.do) {
    case "call":
      return [`call:${squared(step.n)}`];
    case "fan": {
      let sum = 0;
      for (let n = 0; n < step.count; n++) sum += squared(n);
      return [`fan:${sum}`];
    }
    case "timer":
      return ["timer"];
    case "wait":
      return step.timeoutMs === undefined ? ["wait:got"] : ["wait:got", "wait:late"];
    case "child": {
      const childId = `${id}/${at}`;
      const predicted = predict(step.program, childId, version, outside);
      const entries = [predicted.kind === "ends" ? `child:${predicted.log.length}` : `failed:${predicted.message}`];
      if (step.named && outside.endedFromOutside(childId)) entries.push("failed:OrchestrationTerminated");
      // An earlier life of this very instance may have left a child of this name behind.
      if (step.named && (outside.mayBeTaken(childId) || outside.endedFromOutside(id)))
        entries.push("failed:OrchestrationAlreadyExists", "failed:OrchestrationTerminated");
      return entries;
    }
    case "flaky":
      return step.fails < step.most ? [`flaky:${step.fails + 1}`] : [`failed:fails ${step.fails} times`];
    case "fatal":
      return ["failed:never"];
    case "race":
      return ["race:call", "race:timer"];
    case "timed":
      return ["timed:ok", "failed:ActivityTimeoutError"];
    case "status":
    case "again":
    case "send":
      return [step.do];
    case "gate":
      return [version === NEW_CODE ? "gate:new" : "gate:old"];
  }
}
