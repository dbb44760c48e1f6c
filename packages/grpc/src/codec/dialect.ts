// dialect: the tables of one way of speaking the protocol, put together.
//
// Owns:    what a second way of speaking it has to bring: there are servers that use the same numbers for other things, so that nothing can be
//          told from a message alone, and whoever talks to one of them has to be told which it is.
// Always:  D1 whoever speaks does so by one dialect from the first call to the last.

import { decodeActions, encodeActions } from "./actions.ts";
import { decodeEvents, encodeEvents } from "./events.ts";
import { decodeFailure, encodeFailure } from "./failures.ts";
import { decodeGetReply, encodeGetReply } from "./instances.ts";
import { METHODS } from "./messages.ts";
import { decodeActivityOutcome, decodeTurnOutcome, encodeActivityOutcome, encodeTurnOutcome } from "./outcomes.ts";
import { decodeStart, encodeStart } from "./requests.ts";
import { decodeStatus, encodeStatus } from "./statuses.ts";
import { decodeWorkItem, encodeActivityItem, encodeOrchestrationItem } from "./work-items.ts";
import { decodeInterest, encodeInterest } from "./workers.ts";

/** The tables in which ways of speaking the protocol differ. */
export interface Dialect {
  /** The name by which options ask for it. */
  readonly name: string;
  /** The calls that there are. What is missing is not supported. */
  readonly methods: typeof METHODS;
  readonly failures: { readonly encode: typeof encodeFailure; readonly decode: typeof decodeFailure };
  readonly statuses: { readonly encode: typeof encodeStatus; readonly decode: typeof decodeStatus };
  readonly events: { readonly encode: typeof encodeEvents; readonly decode: typeof decodeEvents };
  readonly actions: { readonly encode: typeof encodeActions; readonly decode: typeof decodeActions };
  readonly workItems: {
    readonly encodeOrchestration: typeof encodeOrchestrationItem;
    readonly encodeActivity: typeof encodeActivityItem;
    readonly decode: typeof decodeWorkItem;
  };
  readonly outcomes: {
    readonly encodeTurn: typeof encodeTurnOutcome;
    readonly decodeTurn: typeof decodeTurnOutcome;
    readonly encodeActivity: typeof encodeActivityOutcome;
    readonly decodeActivity: typeof decodeActivityOutcome;
  };
  readonly workers: { readonly encode: typeof encodeInterest; readonly decode: typeof decodeInterest };
  readonly starts: { readonly encode: typeof encodeStart; readonly decode: typeof decodeStart };
  readonly instances: { readonly encode: typeof encodeGetReply; readonly decode: typeof decodeGetReply };
}

/** The protocol as the Durable Task SDKs of Microsoft speak it, and every end of ours. */
export const microsoftDialect: Dialect = {
  name: "microsoft",
  methods: METHODS,
  failures: { encode: encodeFailure, decode: decodeFailure },
  statuses: { encode: encodeStatus, decode: decodeStatus },
  events: { encode: encodeEvents, decode: decodeEvents },
  actions: { encode: encodeActions, decode: decodeActions },
  workItems: { encodeOrchestration: encodeOrchestrationItem, encodeActivity: encodeActivityItem, decode: decodeWorkItem },
  outcomes: {
    encodeTurn: encodeTurnOutcome,
    decodeTurn: decodeTurnOutcome,
    encodeActivity: encodeActivityOutcome,
    decodeActivity: decodeActivityOutcome,
  },
  workers: { encode: encodeInterest, decode: decodeInterest },
  starts: { encode: encodeStart, decode: decodeStart },
  instances: { encode: encodeGetReply, decode: decodeGetReply },
};
