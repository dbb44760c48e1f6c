import { body, testRule } from "../../test/rule-tester.ts";
import { noIo } from "./no-io.ts";

const io = [{ messageId: "io" }];

testRule("no-io", noIo, {
  valid: [
    { name: "a fetch that is a parameter", code: body("const get = (fetch) => fetch(1);\nreturn get(input);") },
    { name: "a function fetch of the file's own", code: body("return fetch();", "const fetch = () => 1;") },
    {
      name: "in an activity",
      code: `import { activity } from "ostinato"; import { readFile } from "fs/promises"; activity("a", () => readFile("x"));`,
    },
    { name: "an activity that is called", code: body("return ctx.callActivity(readFile);", 'import { readFile } from "./activities.js";') },
    {
      name: "a question about an error",
      code: body(
        "try { await ctx.callActivity('a'); } catch (e) { return axios.isAxiosError(e) || e instanceof DatabaseError; }",
        'import axios from "axios"; import { DatabaseError } from "pg";',
      ),
    },
    { name: "a module that is allowed", code: body("return sql();", 'import { sql } from "kysely";'), options: [{ allow: ["kysely"] }] },
    { name: "constants", code: body("return constants.R_OK;", 'import { constants } from "node:fs";') },
  ],
  invalid: [
    { name: "fetch, called or handed on", code: body("return [await fetch(input.url), input.urls.map(fetch)];"), errors: 2 },
    {
      name: "files",
      code: body('return fs.readFileSync("x") + (await promises.readFile("y"));', 'import fs, { promises } from "node:fs";'),
      errors: 2,
    },
    {
      name: "a client made outside",
      code: body('return await db.query("select 1");', 'import pg from "pg";\nconst db = new pg.Pool();'),
      errors: io,
    },
    {
      name: "a client that was required and awaited",
      code: body(
        "return redis.get('x');",
        'const { createClient } = require("redis");\nconst redis = createClient().on("error", () => {});',
      ),
      errors: io,
    },
    {
      name: "a template of a database",
      code: body("return await sql`select 1`;", 'import postgres from "postgres";\nconst sql = postgres();'),
      errors: io,
    },
    {
      name: "a package by a pattern",
      code: body("return new S3Client({});", 'import { S3Client } from "@aws-sdk/client-s3";'),
      errors: io,
    },
    { name: "a dynamic import", code: body('const { exec } = await import("node:child_process");\nexec("ls");'), errors: io },
    {
      name: "a module of yours",
      code: body("return db.find(1);", 'import { db } from "../db.js";'),
      options: [{ modules: ["../db.js"] }],
      errors: io,
    },
    {
      name: "a generator, a helper, a nested function",
      code: body("return input.map((url) => load(url));", "async function load(url) { return await fetch(url); }"),
      errors: io,
    },
  ],
});
