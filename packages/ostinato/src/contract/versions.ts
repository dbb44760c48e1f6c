// versions: how versions of orchestrations compare.
//
// Owns:    the order of versions (as the JavaScript Durable Task SDK has it) and which registration serves an instance.
// Always:  pure; the same answer on every host (ordinal comparison, no locale).

/** How a worker's version must relate to an instance's. */
export type VersionMatchStrategy = "none" | "strict" | "currentOrOlder";
/** What happens to an instance whose version does not fit: it is left for another worker, or fails. */
export type VersionFailureStrategy = "reject" | "fail";

const NUMERIC = /^\d+(\.\d+){0,3}$/;

/**
 * Compares two versions: one to four numeric parts by number (a missing part is 0, so `"1"` equals `"1.0"`), anything else by lower-cased
 * ordinal text. An empty version is smaller than any other.
 *
 * @returns a negative number, 0, or a positive one.
 * @example compareVersions("1.10", "1.9") > 0
 */
export function compareVersions(a: string, b: string): number {
  const left = a.trim();
  const right = b.trim();
  if (left === "" || right === "") return Number(left !== "") - Number(right !== "");
  if (NUMERIC.test(left) && NUMERIC.test(right)) return compareParts(left.split("."), right.split("."));
  const lower = left.toLowerCase();
  const other = right.toLowerCase();
  return lower < other ? -1 : lower > other ? 1 : 0;
}

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < 4; i++) {
    const difference = Number(a[i] ?? 0) - Number(b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Why an instance's version does not fit a worker's, in words; `undefined` when it does. */
export function versionMismatch(strategy: VersionMatchStrategy, workerVersion: string, instanceVersion: string): string | undefined {
  if (strategy === "none" || workerVersion === "") return undefined;
  const order = compareVersions(instanceVersion, workerVersion);
  if (strategy === "strict" && order !== 0)
    return `The orchestration version '${instanceVersion}' does not match the worker version '${workerVersion}'.`;
  if (strategy === "currentOrOlder" && order > 0)
    return `The orchestration version '${instanceVersion}' is greater than the worker version '${workerVersion}'.`;
  return undefined;
}

/**
 * Which of several registrations of one name serves an instance: the one with exactly its version; else, by `currentOrOlder`, the oldest
 * newer one; else the one without a version.
 *
 * @param registered the versions registered under the name; `""` is the one without.
 */
export function chooseVersion(registered: readonly string[], instanceVersion: string, strategy: VersionMatchStrategy): string | undefined {
  const exact = registered.find((version) => version !== "" && compareVersions(version, instanceVersion) === 0);
  if (exact !== undefined) return exact;
  if (strategy === "currentOrOlder") {
    const newer = registered.filter((version) => version !== "" && compareVersions(version, instanceVersion) > 0).sort(compareVersions);
    if (newer[0] !== undefined) return newer[0];
  }
  return registered.find((version) => version === "");
}
