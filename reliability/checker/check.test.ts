// Every invariant that the checker claims: a hand-made violation of it that must be found, beside a clean world in which nothing is.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { soundEntities } from "./broken-entities.ts";
import { broken } from "./broken-worlds.ts";
import { check, type Evidence } from "./check.ts";
import {
  begins,
  body,
  child,
  childCall,
  completed,
  dump,
  ended,
  first,
  goesOn,
  instance,
  invoke,
  ok,
  row,
  running,
  see,
  standing,
  stands,
  startMessage,
  timerMessage,
  turnAt,
} from "./hand-made.ts";
import { violationText } from "./violation.ts";

describe("the checker finds what is broken", () => {
  for (const [invariant, worlds] of Object.entries(broken))
    for (const [what, evidence] of worlds)
      test(`${invariant} ${what}`, () => {
        const found = check(evidence());
        assert.ok(
          found.some((violation) => violation.invariant === invariant),
          `no ${invariant} among:\n${found.map(violationText).join("\n")}`,
        );
      });
});

describe("the checker finds nothing where nothing is broken", () => {
  const clean: readonly (readonly [string, () => Evidence])[] = [
    ["an instance under way", () => ({ dump: { ...running(), at: 400 }, atRest: true })],
    ["an instance that has ended", () => ({ dump: dump([ended()]), atRest: true, expectations: [{ instanceId: "a", output: 8 }] })],
    ["an instance with a child", () => ({ dump: dump([instance([...first, childCall]), child("kid", 2)], [timerMessage], [row]) })],
    [
      "a whole life, seen at each commit",
      () => ({
        dump: dump([ended()]),
        journal: [
          invoke("1", "start", { token: "e1" }),
          stands(standing(instance([]), [startMessage]), { storeAt: 100 }),
          ok("1"),
          begins(),
          body("body-began"),
          body("body-ended", { outcome: "completed", result: "7" }),
          stands(goesOn([...first, turnAt(200), completed])),
          see({ kind: "committed", number: 1, epoch: 1 }),
          stands(standing(ended())),
        ],
        complete: true,
        atRest: true,
        expectations: [{ instanceId: "a", token: "e1", output: 8 }],
      }),
    ],
    [
      "a delivery that died, and the next one",
      () => ({
        dump: dump([ended()]),
        journal: [
          body("body-began"),
          see({ kind: "died" }),
          body("body-began", { delivery: 2 }, "q"),
          body("body-ended", { delivery: 2, outcome: "completed", result: "7" }, "q"),
        ],
      }),
    ],
    [
      "a call of which nobody knows the outcome",
      () => ({ dump: dump([]), journal: [invoke("1", "start", { token: "e1" }), invoke("2", "raise", { input: '"x"' })] }),
    ],
  ];
  for (const [what, evidence] of [...clean, ...soundEntities])
    test(what, () => {
      assert.deepEqual(check(evidence()).map(violationText), []);
    });
});
