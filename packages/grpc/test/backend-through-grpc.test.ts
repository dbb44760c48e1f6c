// The backend conformance kit through the wire: on time that the kit moves, over a channel in memory; once as it is, once over a wire that loses
// calls and answers and delivers some of them twice: with all other tests in part, with `THROUGH=grpc npm test` whole.

import { backendConformance, type MakeHub } from "ostinato/conformance";
import { seededRandom } from "ostinato/contract";
import type { CallFault, OutgoingCall } from "../src/transport/in-memory.ts";
import { hubThroughWire } from "./hub-through-wire.ts";

/** What a call may suffer. A stream is let be: what is out on one that breaks is delivered again, which stories about deliveries count. */
const FAULTS: readonly CallFault[] = [{ kind: "loseCall" }, { kind: "loseReply" }, { kind: "deliverTwice" }];
/** So many calls of a hundred suffer it. */
const PERCENT = 4;
/** What a purge or a cleaning removed is not counted again when its answer was lost. */
const SPARED: ReadonlySet<string> = new Set(["PurgeInstances", "CleanEntityStorage"]);
/** What is accepted when it is repeated is accepted after what came behind it: stories count on the order. */
const ORDERED: ReadonlySet<string> = new Set(["RaiseEvent", "SignalEntity"]);

const chapters =
  process.env["THROUGH"] === "grpc"
    ? undefined
    : (["orchestrations", "activities", "entities", "entity storage", "critical sections", "schedules", "control", "rewind"] as const);

backendConformance("through a wire in memory, virtual time", hubThroughWire, chapters);

let stories = 0;
const throughBadWire: MakeHub = (request) => {
  const seed = ++stories;
  const random = seededRandom(seed);
  const fault = (call: OutgoingCall): CallFault | undefined => {
    if (call.kind !== "unary" || SPARED.has(call.method) || random.fraction() * 100 >= PERCENT) return undefined;
    const chosen = FAULTS[Math.floor(random.fraction() * FAULTS.length)];
    return ORDERED.has(call.method) && chosen?.kind === "loseCall" ? { kind: "loseReply" } : chosen;
  };
  return hubThroughWire({ ...request, fault });
};

backendConformance("through a wire that loses and repeats, virtual time", throughBadWire, chapters);
