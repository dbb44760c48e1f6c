import assert from "node:assert/strict";
import { test } from "node:test";
import { azureTokens, tokenSource } from "../../src/remote/credentials.ts";

const MINUTE = 60_000;

test("a token is fetched once for all who wait, kept, and fetched again before it ends", async () => {
  let now = 0;
  let fetched = 0;
  const source = tokenSource(
    async () => {
      fetched += 1;
      return { token: `t${fetched}`, expiresAt: new Date(now + 60 * MINUTE) };
    },
    { now: () => now },
  );
  assert.deepEqual(await Promise.all([source.current(), source.current()]), ["t1", "t1"]);
  now = 54 * MINUTE;
  assert.equal(await source.current(), "t1");
  now = 56 * MINUTE;
  assert.equal(await source.current(), "t2");
  source.refused("t1");
  assert.equal(await source.current(), "t2", "an old one was refused");
  source.refused("t2");
  assert.equal(await source.current(), "t3");
});

test("a token that still holds is used when a fresh one cannot be had; when none holds, the error says no secret", async () => {
  let now = 0;
  let works = true;
  const source = tokenSource(
    async () => {
      if (!works) throw new Error("401 for secret-key");
      return { token: "t", expiresAt: 10 * MINUTE };
    },
    { now: () => now },
  );
  await source.current();
  works = false;
  now = 9 * MINUTE;
  assert.equal(await source.current(), "t");
  now = 11 * MINUTE;
  await assert.rejects(source.current(), (error: Error) => {
    assert.match(error.message, /the function that gives it threw Error/);
    assert.doesNotMatch(JSON.stringify(error) + error.message, /secret/);
    return true;
  });
});

test("what is no token is refused without being repeated", async () => {
  assert.throws(() => tokenSource("two words", { now: () => 0 }), /printable characters/);
  await assert.rejects(tokenSource(async () => "line\nbreak", { now: () => 0 }).current(), (error: Error) => {
    assert.doesNotMatch(error.message, /break/);
    return true;
  });
});

test("DefaultAzure asks @azure/identity for the scheduler's scope, and says so when that is not installed", async () => {
  const asked: unknown[] = [];
  class DefaultAzureCredential {
    constructor(options: object) {
      asked.push(options);
    }
    async getToken(scope: string): Promise<{ token: string; expiresOnTimestamp: number }> {
      asked.push(scope);
      return { token: "azure", expiresOnTimestamp: 5 };
    }
  }
  const giver = await azureTokens("DefaultAzure", { clientId: "abc" }, async () => ({ DefaultAzureCredential }));
  assert.deepEqual(await giver(), { token: "azure", expiresAt: 5 });
  assert.deepEqual(asked, [{ clientId: "abc", managedIdentityClientId: "abc" }, "https://durabletask.io/.default"]);
  await assert.rejects(
    azureTokens("AzureCli", {}, async () => ({})),
    { code: "UNSUPPORTED", message: /AzureCliCredential/ },
  );
  await assert.rejects(
    azureTokens("DefaultAzure", {}, () => Promise.reject(new Error("not there"))),
    { code: "UNSUPPORTED", message: /npm install @azure\/identity/ },
  );
});
