// story: a program whose histories are kept for ever, and how they come about.
//
// Always:  a story that has been recorded for a released version is never changed: every history that a release has recorded must replay with
//          the program that stands here (V3). A new thing to tell is a new story.

import type { ActivityDefinition, OrchestratorDefinition } from "ostinato";
import type { TestHub } from "ostinato/testing";

/** One story. The names of its orchestrators are its own. */
export interface GoldenStory {
  readonly name: string;
  readonly orchestrators: readonly OrchestratorDefinition[];
  readonly activities?: readonly ActivityDefinition[];
  /** Runs it, on a hub of its own. Whatever it leaves behind is recorded, finished or not. */
  tell(hub: TestHub): Promise<void>;
}

/** Starts an instance under the orchestrator's name, and waits for its end, whatever that is. */
export async function ends(hub: TestHub, name: string, input?: unknown): Promise<void> {
  const instance = await hub.start(name, input, { instanceId: name });
  await instance.result().catch(() => undefined);
}
