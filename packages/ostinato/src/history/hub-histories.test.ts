// Stories of histories that change while they are read: what is told of an instance is of one moment, or is read again.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defaultConverter } from "../authoring/payload.ts";
import { InvalidStateError } from "../contract/errors.ts";
import type { HistoryEvent } from "../contract/events.ts";
import type { InstanceRecord, InstanceStatus, StoredInstance } from "../contract/instance.ts";
import { DEFAULT_LIMITS } from "../worker/begin-program.ts";
import { historiesOf, type HistoryWorld } from "./hub-histories.ts";

/** An instance at one moment. */
interface Moment {
  readonly status: InstanceStatus;
  readonly executionId: string;
  readonly historyLength: number;
}

const turn = (executionId: string): HistoryEvent[] => [
  { kind: "OrchestratorStarted", eventId: -1, timestamp: 1 },
  { kind: "ExecutionStarted", eventId: -1, timestamp: 1, instanceId: "i", executionId, name: "n" },
];
const end: HistoryEvent = { kind: "ExecutionCompleted", eventId: -1, timestamp: 1, status: "COMPLETED" };
const recordAt = (moment: Moment): StoredInstance => ({
  record: { id: "i", name: "n", kind: "orchestration", createdAt: 1, updatedAt: 1, ...moment } as unknown as InstanceRecord,
  payloads: {},
});

/** A backend that answers as told, one answer after the other; the last one stays. */
function backendOf(records: readonly (Moment | undefined)[], histories: readonly (readonly HistoryEvent[] | "replaced")[]) {
  let asked = 0;
  let read = 0;
  const world: HistoryWorld = {
    converter: defaultConverter,
    limits: DEFAULT_LIMITS,
    backend: () => ({
      query: async () => ({ items: [recordAt(records[0]!)] }),
      async get() {
        const moment = records[Math.min(++asked, records.length - 1)];
        return moment && { ...recordAt(moment), waitingFor: [] };
      },
      async *history() {
        const events = histories[Math.min(read++, histories.length - 1)]!;
        if (events === "replaced") throw new InvalidStateError("The history was replaced while it was being read.");
        yield events;
      },
    }),
  };
  return { world, reads: () => read };
}

async function told(world: HistoryWorld, status: readonly InstanceStatus[] = ["RUNNING", "COMPLETED"]): Promise<string[]> {
  const all: string[] = [];
  for await (const { instance, events } of historiesOf(world, { status }))
    all.push(`${instance.status} ${instance.executionId} with ${events.length}`);
  return all;
}

const running = (executionId: string, historyLength: number): Moment => ({ status: "RUNNING", executionId, historyLength });

describe("a history that changes while it is read", () => {
  test("may have grown by what came since", async () => {
    const { world } = backendOf([running("a", 1)], [turn("a")]);
    assert.deepEqual(await told(world), ["RUNNING a with 2"]);
  });

  test("of the next execution is told with that execution's facts", async () => {
    const { world, reads } = backendOf([running("a", 2), running("b", 2)], [turn("b")]);
    assert.deepEqual(await told(world), ["RUNNING b with 2"]);
    assert.equal(reads(), 2);
  });

  test("that has ended is told as ended, or not at all when only open ones are asked for", async () => {
    const ended: Moment = { status: "COMPLETED", executionId: "a", historyLength: 3 };
    const answers = () => backendOf([running("a", 2), ended], [[...turn("a"), end]]).world;
    assert.deepEqual(await told(answers()), ["COMPLETED a with 3"]);
    assert.deepEqual(await told(answers(), ["RUNNING"]), []);
  });

  test("that is replaced in the middle is read again", async () => {
    const { world, reads } = backendOf([running("a", 2)], ["replaced", "replaced", turn("a")]);
    assert.deepEqual(await told(world), ["RUNNING a with 2"]);
    assert.equal(reads(), 3);
  });

  test("of an instance that is purged meanwhile is left out", async () => {
    const { world } = backendOf([running("a", 2), undefined], [[]]);
    assert.deepEqual(await told(world), []);
  });

  test("that was rewound keeps its old start under the new execution", async () => {
    const rewound: HistoryEvent = { kind: "ExecutionRewound", eventId: -1, timestamp: 1 };
    const { world, reads } = backendOf([running("b", 4)], [[...turn("a"), end, rewound]]);
    assert.deepEqual(await told(world), ["RUNNING b with 4"]);
    assert.equal(reads(), 1);
  });

  test("each time it is read is given up, with what to do", async () => {
    const { world, reads } = backendOf([running("a", 2)], [turn("b")]);
    await assert.rejects(told(world), { code: "INVALID_STATE", message: /'i' changed each of the 10 times it was read\. Try again/ });
    assert.equal(reads(), 10);
  });
});
