// programs: what a step does on a peer: the same as `hello` of place.ts, without our words around it.

/** The trivial activity. */
export async function hello({ city, i }: { readonly city: string; readonly i: number }): Promise<string> {
  return `Hello ${city} ${i}!`;
}
