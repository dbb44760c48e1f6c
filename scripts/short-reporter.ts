// short-reporter: Node's own spec reporter, shown only what went wrong and the summary. A log of hundreds of passes helps nobody.
import { Readable } from "node:stream";
import { spec } from "node:test/reporters";
import type { TestEvent } from "node:test/reporters";

const kept = new Set<TestEvent["type"]>(["test:fail", "test:diagnostic", "test:summary", "test:stderr", "test:coverage"]);

async function* wentWrong(events: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  for await (const event of events) {
    // Diagnostics inside a passing test are notes for whoever looks at that test alone.
    if (event.type === "test:diagnostic" && event.data.nesting > 0) continue;
    if (kept.has(event.type)) yield event;
  }
}

// tidy: allow forms because Node asks a reporter module for its default export.
export default async function* shortReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const text of Readable.from(wentWrong(events)).pipe(new spec())) yield String(text);
}
