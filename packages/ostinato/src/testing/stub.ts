// stub: another body for an activity, typed by the activity.

import type { ActivityContext } from "../authoring/activity-context.ts";
import type { Activity, ActivityDefinition, ActivityRef } from "../authoring/define.ts";
import { given } from "../contract/recorded-as.ts";

/**
 * Another body for an activity, for a test: the name, the schemas and the declared errors stay, so what enters and leaves is checked as ever.
 *
 * @example
 * const hub = await createTestHub({ orchestrators: [sequence], stubs: [stub(hello, async (ctx, name) => `Hi ${name}`)] });
 */
export function stub<I, O, E extends object>(
  activity: ActivityRef<I, O, E>,
  run: (ctx: ActivityContext<E>, input: I) => Promise<O> | O,
): Activity<I, O, E> {
  const { name, input, output, errors, retry, timeout } = activity;
  const definition: ActivityDefinition = { kind: "activity", name, ...given({ input, output, errors, retry, timeout }), run };
  return Object.freeze(definition);
}
