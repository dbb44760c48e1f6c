// work-item-filters: which of the work that a worker could do it takes.
//
// Always:  FI1 a filter only narrows: what is not registered here is refused as a mistake.
//          FI2 a kind of work that the filters do not speak of is not narrowed.

import { InvalidArgumentError } from "../contract/errors.ts";
import { checkName } from "../contract/ids.ts";
import { given } from "../contract/recorded-as.ts";

/** An orchestrator in a filter: by its name, or by its name for instances of these versions alone. */
export type OrchestratorFilter = string | { readonly name: string; readonly versions?: readonly string[] };

/**
 * Which work a worker takes, of all that it has code for. What it leaves waits for another worker.
 *
 * @example
 * const filters: WorkItemFilters = { orchestrators: ["greet", { name: "purchaseOrder", versions: ["2.0.0"] }], activities: [] };
 */
export interface WorkItemFilters {
  /** Absent: all that are registered. `versions` are those of instances, compared as versions are; `""` is none. */
  readonly orchestrators?: readonly OrchestratorFilter[];
  /** Absent: all that are registered. */
  readonly activities?: readonly string[];
  /** Absent: all that are registered. In whatever case. */
  readonly entities?: readonly string[];
}

/** What a backend is told of it. */
export interface TakenWork {
  readonly orchestrators: readonly string[];
  readonly activities: readonly string[];
  readonly entities: readonly string[];
  readonly orchestratorVersions?: Readonly<Record<string, readonly string[]>>;
}

/**
 * The names that are taken of those that are registered.
 *
 * @throws InvalidArgumentError for a name that is not registered, or that is named twice.
 */
export function takenWork(
  registered: {
    readonly orchestratorNames: readonly string[];
    readonly activityNames: readonly string[];
    readonly entityNames: readonly string[];
  },
  filters: WorkItemFilters | undefined,
): TakenWork {
  const versions: Record<string, readonly string[]> = {};
  const orchestrators = filters?.orchestrators?.map((filter) => {
    if (typeof filter === "string") return filter;
    for (const version of filter.versions ?? []) if (version !== "") checkName(version, "version");
    if (filter.versions !== undefined) versions[filter.name] = [...filter.versions];
    return filter.name;
  });
  check("orchestrator", orchestrators, registered.orchestratorNames);
  check("activity", filters?.activities, registered.activityNames);
  const entities = filters?.entities?.map((name) => name.toLowerCase());
  check("entity", entities, registered.entityNames);
  return {
    orchestrators: orchestrators ?? registered.orchestratorNames,
    activities: filters?.activities ?? registered.activityNames,
    entities: entities ?? registered.entityNames,
    ...given({ orchestratorVersions: Object.keys(versions).length === 0 ? undefined : versions }),
  };
}

function check(what: string, names: readonly string[] | undefined, registered: readonly string[]): void {
  names?.forEach((name, index) => {
    if (!registered.includes(name)) {
      const known = registered.map((each) => `'${each}'`).join(", ") || "none";
      throw new InvalidArgumentError(`workItemFilters names the ${what} '${name}', which is not registered here. Registered: ${known}.`);
    }
    if (names.indexOf(name) !== index) throw new InvalidArgumentError(`workItemFilters names the ${what} '${name}' twice.`);
  });
}
