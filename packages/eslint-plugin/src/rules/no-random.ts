// no-random: chance gives another answer at every replay.
import { byContext, defineRule, isModuleOf, isOneOf, nameOfReference } from "../rule.ts";

const CHANCE = [
  ...["Math.random", "crypto.randomUUID", "crypto.getRandomValues"],
  ...["randomUUID", "randomBytes", "randomInt", "randomFill", "randomFillSync", "pseudoRandomBytes", "getRandomValues"].map(
    (one) => `crypto#${one}`,
  ),
  ...["generateKey", "generateKeySync", "generateKeyPair", "generateKeyPairSync"].map((one) => `crypto#${one}`),
];
/** Versions 3 and 5 are made from a name, and the same every time. */
const RANDOM_UUIDS = ["uuid#v1", "uuid#v4", "uuid#v6", "uuid#v7", "uuid#v1ToV6"];
const RANDOM_MODULES = [
  "nanoid",
  "ulid",
  "ulidx",
  "short-uuid",
  "cuid",
  "@paralleldrive/cuid2",
  "ksuid",
  "uid",
  "hyperid",
  "@faker-js/faker",
  "chance",
];

export const noRandom = defineRule({
  name: "no-random",
  about: "disallow randomness in orchestrators",
  fixable: true,
  suggests: true,
  options: { modules: [] as readonly string[] },
  messages: {
    random:
      "`{{what}}` gives another value at every replay. Use `{{ctx}}.newGuid()` for an id, and an activity for anything else that is left to chance.{{where}}",
    useContext: "Use `{{ctx}}.newGuid()`, the same at every replay.",
  },
  find(look) {
    const modules = [...RANDOM_MODULES, ...look.options.modules];
    for (const { node, call, isCalled, reference } of look.uses) {
      const name = nameOfReference(reference);
      const isUuid = isOneOf(name, RANDOM_UUIDS);
      const isOfModule = isUuid || (isCalled && isModuleOf(reference.module, modules));
      if (!isOfModule && !isOneOf(name, CHANCE)) continue;
      const isId = /^(?:crypto[.#]randomUUID|uuid#v[47]|nanoid#(?:nanoid)?)$/.test(name);
      const fix = isId && call?.arguments.length === 0 ? byContext(look, call, (ctx) => `${ctx}.newGuid()`) : undefined;
      const where = call ?? node;
      const data = { what: look.textOf(where) };
      if (/^crypto[.#]randomUUID$/.test(name)) look.report({ node: where, messageId: "random", data, fix });
      else look.report({ node: where, messageId: "random", data, suggest: fix === undefined ? [] : [{ messageId: "useContext", fix }] });
    }
  },
});
