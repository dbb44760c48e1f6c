// definitions-of: the orchestrators and activities that a module exports.

import type { ActivityDefinition, OrchestratorDefinition } from "../authoring/define.ts";

/** The definitions of a module. */
export interface ModuleDefinitions {
  readonly orchestrators: readonly OrchestratorDefinition[];
  readonly activities: readonly ActivityDefinition[];
}

/**
 * Collects what a module exports, by its kind: definitions themselves, and lists of them. Contracts without a body are left out.
 *
 * @example
 * const { orchestrators } = definitionsOf(await import("./orders.ts"));
 * const report = await checkInstances(hub, { orchestrators });
 */
export function definitionsOf(module: Readonly<Record<string, unknown>>): ModuleDefinitions {
  const orchestrators = new Set<OrchestratorDefinition>();
  const activities = new Set<ActivityDefinition>();
  const take = (value: unknown): void => {
    const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
    if (kind === "orchestrator") orchestrators.add(value as OrchestratorDefinition);
    else if (kind === "activity") activities.add(value as ActivityDefinition);
  };
  for (const value of Object.values(module)) {
    if (Array.isArray(value)) value.forEach(take);
    else take(value);
  }
  return { orchestrators: [...orchestrators], activities: [...activities] };
}
