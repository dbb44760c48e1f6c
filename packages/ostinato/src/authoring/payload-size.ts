// payload-size: how large a payload may be where it enters or leaves.

import { PayloadTooLargeError } from "../contract/errors.ts";
import { payloadBytes } from "./payload.ts";

/** @throws PayloadTooLargeError for a text over the limit. `what` names it: "input of orchestrator 'greet'". */
export function refuseTooLarge(text: string | undefined, limit: number, what: string): void {
  const bytes = payloadBytes(text);
  if (bytes > limit)
    throw new PayloadTooLargeError(
      `The ${what} takes ${bytes} bytes; ${limit} are allowed. Store it elsewhere and pass a reference, or raise limits.payloadBytes.`,
    );
}
