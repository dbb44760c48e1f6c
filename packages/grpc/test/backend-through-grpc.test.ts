// The backend conformance kit through the wire: on time that the kit moves, over a channel in memory.

import { backendConformance } from "ostinato/conformance";
import { hubThroughWire } from "./hub-through-wire.ts";

backendConformance("through a wire in memory, virtual time", hubThroughWire);
