// weight: about how many bytes a value takes in memory.

/** About what a plain value takes: texts count two bytes for each unit, fields and objects a little. */
export function weightOf(value: unknown): number {
  if (typeof value === "string") return 24 + 2 * value.length;
  if (typeof value !== "object" || value === null) return 8;
  let weight = 48;
  for (const each of Object.values(value)) weight += 8 + weightOf(each);
  return weight;
}
