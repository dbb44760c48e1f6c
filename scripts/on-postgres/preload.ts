// preload: the weather of `STORE=postgres npm test`, loaded into every process of that run before anything else.
//
// Owns:    which hubs are on PostgreSQL then: those of openTaskHub("memory:"), and those of createTestHub.
// Is told: OSTINATO_TEST_DATABASE, a database that all of them share, each in a task hub of its own.
// Always:  nothing that is tested knows of it: two modules of the house are asked for, and two of this folder answer.
import { registerHooks } from "node:module";

const house = new URL("../../packages/ostinato/src/", import.meta.url).href;

const instead: readonly { readonly asked: string; readonly by: string; readonly answers: string }[] = [
  { asked: "hub/hub-url.ts", by: "hub/open-task-hub.ts", answers: new URL("./hub-url.ts", import.meta.url).href },
  { asked: "stores/memory/memory-store.ts", by: "testing/test-hub.ts", answers: new URL("./memory-store.ts", import.meta.url).href },
];

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const other = instead.find(({ asked, by }) => found.url === house + asked && context.parentURL === house + by);
    return other === undefined ? found : { ...found, url: other.answers };
  },
});
