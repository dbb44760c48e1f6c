// stories: all golden stories, and what of them is kept.

import type { OrchestratorDefinition } from "ostinato";
import type { HistoryDocument } from "ostinato/history";
import { createTestHub } from "ostinato/testing";
import { callStories } from "./calls.ts";
import { lifeStories } from "./lives.ts";
import type { GoldenStory } from "./story.ts";
import { valueStories } from "./values.ts";
import { waitStories } from "./waits.ts";

/** Every story, each under a name of its own. */
export const stories: readonly GoldenStory[] = [...callStories, ...waitStories, ...lifeStories, ...valueStories];

/** The programs of all stories, for one replay of all histories. */
export const orchestrators: readonly OrchestratorDefinition[] = [...new Set(stories.flatMap((story) => story.orchestrators))];

/** Tells a story, and gives the histories that it leaves behind with the names of their files. */
export async function* recordStory(story: GoldenStory): AsyncGenerator<{ readonly file: string; readonly text: string }> {
  const hub = await createTestHub({
    orchestrators: story.orchestrators,
    activities: story.activities ?? [],
    start: new Date(Date.UTC(2026, 2, 28, 22, 30)), // the night in which many countries change their clocks
    log: { level: "silent" },
  });
  try {
    await story.tell(hub);
    for (const status of ["PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED"] as const) {
      for await (const document of hub.histories({ status })) {
        const file = `${story.name}--${document.instance.id.replaceAll(/[^A-Za-z0-9.-]+/g, "_")}.json`;
        yield { file, text: textOf(document) };
      }
    }
  } finally {
    await hub.close();
  }
}

/** As an export writes it, without stacks, which tell where code stood on somebody's machine. */
function textOf(document: HistoryDocument): string {
  const { events, ...head } = document;
  const whole = { ...head, eventCount: events.length, events };
  return `${JSON.stringify(whole, (key, value: unknown) => (key === "stack" ? undefined : value), 2)}\n`;
}
