// no-clock: the clock of the process is another one at every replay.
import { byContext, defineRule, isOneOf, nameOfReference } from "../rule.ts";
import type { Finding, Look } from "../rule.ts";
import type { Use } from "../uses.ts";

const CLOCKS = [
  "Date.now",
  "performance.now",
  "performance.timeOrigin",
  "process.hrtime",
  "process.uptime",
  "Temporal.Now",
  "luxon#DateTime.now",
];
/** What gives the present when it is called without arguments. */
const PRESENT_BY_DEFAULT = ["dayjs#", "moment#", "moment#utc", "luxon#DateTime.local", "luxon#DateTime.utc"];

export const noClock = defineRule({
  name: "no-clock",
  about: "disallow reading the clock in orchestrators",
  fixable: true,
  suggests: true,
  options: {},
  messages: {
    clock:
      "`{{what}}` reads the clock of this process, and a replay reads another time than the first run did. Use `{{ctx}}.currentUtcDateTime`, the recorded time of the turn.{{where}}",
    useContext: "Use `{{ctx}}.currentUtcDateTime`, the recorded time of the turn.",
  },
  find(look) {
    for (const use of look.uses) {
      const finding = findingOf(look, use);
      if (finding !== undefined) look.report(finding);
    }
  },
});

function findingOf(look: Look<object>, use: Use): Finding | undefined {
  const { node, call } = use;
  const name = nameOfReference(use.reference);
  const what = look.textOf(call ?? node);
  if (name === "Date" && call !== undefined) {
    if (call.type === "CallExpression") return { node: call, messageId: "clock", data: { what } };
    if (call.arguments.length > 0) return undefined;
    return { node: call, messageId: "clock", data: { what }, fix: byContext(look, call, (ctx) => `${ctx}.currentUtcDateTime`) };
  }
  if (PRESENT_BY_DEFAULT.includes(name) && call?.arguments.length === 0) return { node: call, messageId: "clock", data: { what } };
  if (!isOneOf(name, CLOCKS)) return undefined;
  const fix = call === undefined ? undefined : byContext(look, call, (ctx) => `${ctx}.currentUtcDateTime.getTime()`);
  if (name === "Date.now") return { node: call ?? node, messageId: "clock", data: { what }, fix };
  const suggest = name === "performance.now" && fix !== undefined ? [{ messageId: "useContext", fix }] : [];
  return { node: call ?? node, messageId: "clock", data: { what }, suggest };
}
