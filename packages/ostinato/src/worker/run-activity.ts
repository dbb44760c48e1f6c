// run-activity: an activity's work item becomes an outcome, by way of the user's code.
//
// Owns:    the activity's context, its signal and its time-out; how its input comes in and how its result goes out.
// Is told: work items and cancel notices, by the worker; the definition, by the registry.
// Tells:   exactly one Outcome for each item.
// Always:  A1 whatever user code throws, and in whatever way, is a failed outcome and nothing else.
//          A2 after the outcome nothing of the activity counts: a late result is dropped and counted.
//          A3 what costs something (an AbortController, a timer) is made when it is first needed.

import type { ActivityContext } from "../authoring/activity-context.ts";
import type { ActivityDefinition } from "../authoring/define.ts";
import { payloadBytes, type PayloadConverter } from "../authoring/payload.ts";
import { decodeWith, encodeWith, validate } from "../authoring/schema.ts";
import { ActivityTimeoutError, PayloadTooLargeError } from "../contract/errors.ts";
import { toFailure, type Failure } from "../contract/failure.ts";
import type { Tags } from "../contract/instance.ts";
import { given } from "../contract/recorded-as.ts";
import type { ActivityOutcome, ActivityWorkItem, CancelNotice, WorkToken } from "../contract/work-items.ts";
import type { Clock, ClockTimer } from "../platform/clock.ts";

/** What activities need of the worker. */
export interface ActivityWorld {
  readonly find: (name: string) => ActivityDefinition | undefined;
  readonly converter: PayloadConverter;
  readonly payloadBytes: number;
  readonly clock: Clock;
  /** Takes the outcome. */
  readonly tell: (outcome: ActivityOutcome) => void;
}
