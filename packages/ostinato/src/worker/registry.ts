// registry: name and version → program.
//
// Owns:    what a worker can run, and which of several registrations of one name serves an instance.
// Always:  R1 one name and version has one program; a second one is refused when the worker is made, not when it is needed.
//          R2 the choice depends on the registrations and the instance's version alone.

import type { ActivityDefinition, OrchestratorDefinition } from "../authoring/define.ts";
import type { EntityDefinition } from "../authoring/entity.ts";
import { InvalidArgumentError } from "../contract/errors.ts";
import { checkName } from "../contract/ids.ts";
import { chooseVersion, versionMismatch, type VersionMatchStrategy } from "../contract/versions.ts";

/** How a worker's version must relate to an instance's. */
export interface VersionRule {
  /** The worker's own version; `""` is none, and then every version fits. */
  readonly version: string;
  readonly match: VersionMatchStrategy;
}

/** The program for an instance, or why there is none. */
export type OrchestratorChoice =
  | { readonly kind: "found"; readonly orchestrator: OrchestratorDefinition }
  | { readonly kind: "version"; readonly reason: string }
  | { readonly kind: "unregistered"; readonly reason: string };

/** What a worker can run. */
export interface Registry {
  readonly orchestratorNames: readonly string[];
  readonly activityNames: readonly string[];
  /** In lower case. */
  readonly entityNames: readonly string[];
  orchestrator(name: string, version: string): OrchestratorChoice;
  activity(name: string): ActivityDefinition | undefined;
  /** By its name in lower case. */
  entity(name: string): EntityDefinition | undefined;
}

/**
 * Makes a registry.
 *
 * @throws InvalidArgumentError for a name and version given twice, and for what is no definition with a body.
 */
export function createRegistry(
  orchestrators: readonly OrchestratorDefinition[],
  activities: readonly ActivityDefinition[],
  entities: readonly EntityDefinition[],
  rule: VersionRule,
): Registry {
  const byName = new Map<string, Map<string, OrchestratorDefinition>>();
  for (const orchestrator of orchestrators) {
    checkProgram(orchestrator, "orchestrator");
    const versions = byName.get(orchestrator.name) ?? new Map<string, OrchestratorDefinition>();
    const version = orchestrator.version ?? "";
    const other = versions.get(version);
    if (other !== undefined && other !== orchestrator) throw twice("orchestrator", orchestrator.name, version);
    byName.set(orchestrator.name, versions.set(version, orchestrator));
  }
  const runs = new Map<string, ActivityDefinition>();
  for (const activity of activities) {
    checkProgram(activity, "activity");
    const other = runs.get(activity.name);
    if (other !== undefined && other !== activity) throw twice("activity", activity.name, "");
    runs.set(activity.name, activity);
  }
  const kinds = new Map<string, EntityDefinition>();
  for (const entity of entities) {
    checkProgram(entity, "entity");
    const other = kinds.get(entity.name);
    if (other !== undefined && other !== entity) throw twice("entity", entity.name, "");
    kinds.set(entity.name, entity);
  }

  return {
    orchestratorNames: [...byName.keys()],
    activityNames: [...runs.keys()],
    entityNames: [...kinds.keys()],
    activity: (name) => runs.get(name),
    entity: (name) => kinds.get(name),
    orchestrator(name, version) {
      const versions = byName.get(name);
      if (versions === undefined)
        return { kind: "unregistered", reason: `No orchestrator '${name}' is registered here. ${registered(byName.keys())}` };
      const mismatch = versionMismatch(rule.match, rule.version, version);
      if (mismatch !== undefined) return { kind: "version", reason: mismatch };
      const chosen = chooseVersion([...versions.keys()], version, rule.match);
      const orchestrator = chosen === undefined ? undefined : versions.get(chosen);
      if (orchestrator !== undefined) return { kind: "found", orchestrator };
      const known = [...versions.keys()].map((each) => `'${each}'`).join(", ");
      return {
        kind: "version",
        reason: `The orchestrator '${name}' is registered here as ${known}, none of which serves version '${version}'.`,
      };
    },
  };
}

function registered(names: Iterable<string>): string {
  const all = [...names];
  return all.length === 0 ? "There are none." : `There are: ${all.join(", ")}.`;
}

function checkProgram(program: unknown, kind: "orchestrator" | "activity" | "entity"): void {
  const { kind: found, name } = (program ?? {}) as { kind?: unknown; name?: unknown };
  if (found === kind) return checkName(name as string, `${kind} name`);
  const known = typeof name === "string" ? ` '${name}'` : "";
  if (kind === "entity")
    throw new InvalidArgumentError(
      `What was given as an entity${known} is none with operations. Make it with entity(name, Class), or with entity(name, { initial }).operations({ ... }).`,
    );
  throw new InvalidArgumentError(
    `What was given as an ${kind}${known} is none with a body. Make it with ${kind}(name, body), or give the contract its body with .run(body).`,
  );
}

const PLURALS = { orchestrator: "orchestrators", activity: "activities", entity: "entities" };

function twice(kind: keyof typeof PLURALS, name: string, version: string): InvalidArgumentError {
  const which = version === "" ? "without a version" : `with version '${version}'`;
  return new InvalidArgumentError(`Two different ${PLURALS[kind]} are named '${name}' ${which}. Rename one, or give it another version.`);
}
