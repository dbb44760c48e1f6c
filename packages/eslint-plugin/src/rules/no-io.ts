// no-io: what the world answers is another answer at every replay, and what it is told, it is told again.
import { defineRule, isModuleOf, isOneOf, nameOfReference } from "../rule.ts";

const GLOBALS = [
  ...["fetch", "XMLHttpRequest", "WebSocket", "WebSocketStream", "EventSource", "localStorage", "sessionStorage", "indexedDB", "caches"],
  ...["navigator.sendBeacon", "Bun.file", "Bun.write", "Bun.serve", "Bun.connect", "Bun.spawn", "Bun.spawnSync", "Bun.$", "Bun.sql"],
  ...[
    "Deno.readFile",
    "Deno.readTextFile",
    "Deno.writeFile",
    "Deno.writeTextFile",
    "Deno.open",
    "Deno.connect",
    "Deno.serve",
    "Deno.Command",
  ],
];
/** Modules whose calls reach out of the process. */
const MODULES = [
  ...["fs", "http", "https", "http2", "net", "dgram", "tls", "dns", "child_process", "readline", "repl", "sqlite", "inspector"],
  ...["fs-extra", "graceful-fs", "execa", "shelljs", "zx", "chokidar", "rimraf"],
  ...["axios", "got", "ky", "node-fetch", "undici", "superagent", "request", "needle", "ws", "socket.io-client", "@grpc/grpc-js"],
  ...[
    "pg",
    "pg-promise",
    "postgres",
    "mysql",
    "mysql2",
    "mariadb",
    "mssql",
    "tedious",
    "oracledb",
    "better-sqlite3",
    "sqlite3",
    "@libsql/client",
  ],
  ...[
    "mongodb",
    "mongoose",
    "redis",
    "ioredis",
    "@redis/client",
    "cassandra-driver",
    "neo4j-driver",
    "couchbase",
    "@elastic/elasticsearch",
  ],
  ...["@prisma/client", "knex", "typeorm", "sequelize", "kysely", "@mikro-orm/core", "@supabase/supabase-js", "firebase-admin"],
  ...["kafkajs", "amqplib", "nats", "bullmq", "mqtt", "nodemailer", "ssh2", "@aws-sdk/*", "@azure/*", "@google-cloud/*"],
];
/** What such modules show beside: classes of errors and questions about them, which reach nowhere. */
const HARMLESS = /(?:^|[.#])(?:is[A-Z]\w*|\w*Error)$/;

export const noIo = defineRule({
  name: "no-io",
  about: "disallow input and output in orchestrators",
  options: { modules: [] as readonly string[], allow: [] as readonly string[] },
  messages: {
    io: "`{{what}}` reaches out of the program: a replay does it again, and may get another answer. Move it into an activity and call that with `{{ctx}}.callActivity(...)`, which is recorded.{{where}}",
  },
  find(look) {
    const { modules, allow } = look.options;
    for (const { node, reference, isCalled } of look.uses) {
      const name = nameOfReference(reference);
      if (!isCalled && name !== "fetch" && !/Storage\b/.test(name)) continue;
      const isModule = isModuleOf(reference.module, [...MODULES, ...modules]) && !isModuleOf(reference.module, allow);
      if (HARMLESS.test(name) || !(isModule || isOneOf(name, GLOBALS))) continue;
      look.report({ node, messageId: "io", data: { what: look.textOf(node) } });
    }
  },
});
