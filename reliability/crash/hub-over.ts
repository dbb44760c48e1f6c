// hub-over: a hub of the product's own parts over a store that the campaign hands in.
//
// Always:  nothing here is a second engine: backend, worker and client are the product's, only the store is chosen by the campaign.
import { defaultConverter } from "ostinato";
import type { Hub, Logger } from "ostinato";
import { createHub } from "../../packages/ostinato/src/hub/hub.ts";
import { limitsOf } from "../../packages/ostinato/src/hub/open-task-hub.ts";
import { createLocalBackend } from "../../packages/ostinato/src/local/local-backend.ts";
import type { Store } from "../../packages/ostinato/src/engine/store.ts";
import { holdProcess, systemClock } from "../../packages/ostinato/src/platform/clock.ts";
import { systemRandom } from "../../packages/ostinato/src/platform/random.ts";

/** Opens a hub over a store. */
export async function hubOver(store: Store, options: { readonly log: Logger; readonly maxClaims?: number }): Promise<Hub> {
  const { log, maxClaims } = options;
  const backend = await createLocalBackend({
    store,
    clock: systemClock,
    random: systemRandom,
    log,
    ...(maxClaims === undefined ? {} : { maxClaims }),
  });
  return createHub({
    backend,
    converter: defaultConverter,
    limits: limitsOf(),
    clock: systemClock,
    random: systemRandom,
    log,
    processors: 2,
    hold: holdProcess,
  });
}
