import { backendConformance } from "ostinato/conformance";
import { hubThroughWire } from "./hub-through-wire.ts";
backendConformance("as family", (request) => hubThroughWire({ ...request, asFamily: true }));
