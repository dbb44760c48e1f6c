// run-again: every turn once more, by a fresh program from the start of its history (H6): it must ask for the same.
import { defaultConverter } from "../../packages/ostinato/src/authoring/payload.ts";
import type { OrchestratorDefinition } from "../../packages/ostinato/src/authoring/define.ts";
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import type { OrchestrationOutcome, OrchestrationWorkItem } from "../../packages/ostinato/src/contract/work-items.ts";
import { createExecution } from "../../packages/ostinato/src/executor/run-turn.ts";
import { limitsOf } from "../../packages/ostinato/src/hub/open-task-hub.ts";
import { createStandstill } from "../../packages/ostinato/src/platform/standstill.ts";
import type { MemoryHub } from "../../packages/ostinato/src/stores/memory/memory-store.ts";
import { same } from "../checker/violation.ts";
import type { Witness } from "./witness.ts";

/** Runs the turns of one process again. */
export class RunAgain {
  readonly #hub: MemoryHub;
  readonly #witness: Witness;
  readonly #name: string;
  readonly #out = new Map<unknown, { readonly item: OrchestrationWorkItem; readonly past: readonly HistoryEvent[] }>();
  #orchestrators: readonly OrchestratorDefinition[] = [];

  constructor(hub: MemoryHub, witness: Witness, name: string) {
    this.#hub = hub;
    this.#witness = witness;
    this.#name = name;
  }

  knows(orchestrators: readonly OrchestratorDefinition[]): void {
    this.#orchestrators = orchestrators;
  }

  /** A turn begins: what has happened before it is what is stored, if that is what its program has seen. */
  began(item: OrchestrationWorkItem): void {
    if ("events" in item.past) {
      this.#out.set(item.token, { item, past: item.past.events });
      return;
    }
    for (const { record, events } of this.#hub.contents().instances)
      if (record.id === item.instanceId && record.executionId === item.executionId && events.length === item.past.kept)
        this.#out.set(item.token, { item, past: events.slice() });
  }

  /** A turn ended: it is run again, and what it asks for is compared. */
  ended(outcome: OrchestrationOutcome): void {
    const out = this.#out.get(outcome.token);
    this.#out.delete(outcome.token);
    if (out === undefined || outcome.kind !== "turn") return;
    const { item, past } = out;
    const orchestrator = this.#orchestrators.find((each) => each.name === item.name && each.version === item.version);
    if (orchestrator === undefined) return;
    const execution = createExecution({
      instanceId: item.instanceId,
      executionId: item.executionId,
      orchestrator,
      converter: defaultConverter,
      limits: limitsOf(),
      settle: createStandstill().settle,
      enter: (run) => run(),
      log: () => undefined,
    });
    void execution.advance(past, item.newEvents).then((result) => {
      execution.close();
      this.#witness.see(this.#name, { kind: "replayed", instanceId: item.instanceId, ...differenceOf(outcome, result) });
    });
  }
}

function differenceOf(
  outcome: Extract<OrchestrationOutcome, { kind: "turn" }>,
  result: Awaited<ReturnType<ReturnType<typeof createExecution>["advance"]>>,
): { readonly difference?: string } {
  if (result.kind !== "turn") return { difference: result.stall.reason };
  if (!same(withoutStacks(outcome.actions), withoutStacks(result.actions)))
    return { difference: `${JSON.stringify(result.actions)} in place of ${JSON.stringify(outcome.actions)}` };
  if (!same(outcome.awaitedEvents, result.awaitedEvents)) return { difference: "it waits for other events" };
  return outcome.customStatus === result.customStatus ? {} : { difference: "it sets another custom status" };
}

/** Stacks are where code was called from, and a replay is called from elsewhere. */
function withoutStacks(actions: readonly object[]): unknown {
  return JSON.parse(JSON.stringify(actions, (key, value: unknown) => (key === "stack" ? undefined : value)));
}
