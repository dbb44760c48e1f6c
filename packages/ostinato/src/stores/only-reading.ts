// only-reading: a store for those who look.
//
// Always:  it takes no work and writes nothing, whatever it is asked.

import { UnsupportedError } from "../contract/errors.ts";
import type { Store } from "../engine/store.ts";

/**
 * The same store without all that writes.
 *
 * @param where how messages call it.
 */
export function onlyReading(store: Store, where: string): Store {
  const refuse = async (): Promise<never> => {
    throw new UnsupportedError(`${where} was opened to read. Open it without { readOnly: true } to write.`);
  };
  return {
    ...store,
    claim: async () => ({ at: 0, instances: [], activities: [] }),
    renew: async () => ({ at: 0, alive: true }),
    commit: refuse,
    update: refuse,
    release: async () => undefined,
  };
}
