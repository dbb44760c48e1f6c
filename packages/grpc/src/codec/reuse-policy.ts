// reuse-policy: which instances a start may replace, as the protocol writes it.
//
// Owns:    the two ways of saying it: ours lists who refuses the start, the protocol lists who gives way. One is the complement of the other.
// Always:  R1 no policy is no list: every status refuses. R2 a policy that contradicts itself is refused, in words that clients look for.
//          R3 clients of old say in a second field what shall be done with a listed status; the field has no name any more and is read by number.

import { BinaryReader } from "@bufbuild/protobuf/wire";
import { InvalidArgumentError } from "ostinato";
import { given, INSTANCE_STATUSES, refusesItself, type InstanceStatus } from "ostinato/contract";

import type { OrchestrationIdReusePolicy } from "../generated/task_hub_sidecar_pb.js";
import type { Peer } from "./peer.ts";
import { decodeStatuses, encodeStatus } from "./statuses.ts";

/** The statuses of an instance under this id for which a start is answered as if it were done. */
export type IgnoredStatuses = readonly InstanceStatus[];

/** What a policy says. */
export interface DecodedReuse {
  readonly dedupeStatuses?: readonly InstanceStatus[];
  readonly ignoredWhen?: IgnoredStatuses;
}

/** The policy of a list of refusing statuses; none where there is no list. */
export function encodeReuse(dedupeStatuses: readonly InstanceStatus[] | undefined): OrchestrationIdReusePolicy | undefined {
  if (dedupeStatuses === undefined) return undefined;
  return { $typeName: "OrchestrationIdReusePolicy", replaceableStatus: complement(dedupeStatuses).map(encodeStatus) };
}

/** @throws InvalidArgumentError when running instances may be replaced, and terminated ones may not. */
export function decodeReuse(policy: OrchestrationIdReusePolicy | undefined, peer: Peer): DecodedReuse {
  if (policy === undefined) return {};
  const listed = decodeStatuses(policy.replaceableStatus) ?? [];
  const action = peer === "family" ? actionOf(policy) : undefined;
  if (action === OLD_ACTIONS.error) return {};
  if (action === OLD_ACTIONS.ignore) return given({ ignoredWhen: listed });
  const dedupeStatuses = complement(listed);
  // Who says "terminate" means that what runs is terminated first, and then gives way.
  const isOld = action === OLD_ACTIONS.terminate;
  if (isOld) return { dedupeStatuses: dedupeStatuses.filter((status) => status !== "TERMINATED") };
  if (refusesItself(dedupeStatuses))
    throw new InvalidArgumentError(
      "Invalid reusable statuses: cannot exclude 'Terminated' while also allowing reuse of running instances, which are terminated first. " +
        "Add 'Terminated' to the statuses that may be replaced.",
    );
  return { dedupeStatuses };
}

const OLD_ACTION_FIELD = 2;
/** The wire type of numbers. */
const VARINT = 0;
const OLD_ACTIONS = { error: 0, ignore: 1, terminate: 2 } as const;

/** The number in the field of old; `undefined` where there is none, or it is no number. */
function actionOf({ $unknown }: OrchestrationIdReusePolicy): number | undefined {
  const field = $unknown?.findLast(({ no, wireType }) => no === OLD_ACTION_FIELD && Number(wireType) === VARINT);
  return field === undefined ? undefined : new BinaryReader(field.data).int32();
}

/** In the order of a life. */
function complement(statuses: readonly InstanceStatus[]): readonly InstanceStatus[] {
  return INSTANCE_STATUSES.filter((status) => !statuses.includes(status));
}
