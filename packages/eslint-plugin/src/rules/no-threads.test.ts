import { body, testRule } from "../../test/rule-tester.ts";
import { noThreads } from "./no-threads.ts";

testRule("no-threads", noThreads, {
  valid: [
    {
      name: "an activity may",
      code: `import { activity } from "ostinato"; import { Worker } from "worker_threads"; activity("a", () => new Worker("x"));`,
    },
    { name: "a Worker of the file's own", code: body("return new Worker();", "class Worker {}") },
    { name: "many at once", code: body("return await ctx.whenAll(input.map((x) => ctx.callActivity('a', x)));") },
  ],
  invalid: [
    {
      name: "workers",
      code: body("return [new Worker('x'), new W('y')];", 'import { Worker as W } from "node:worker_threads";'),
      errors: 2,
    },
    { name: "shared memory", code: body("return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);"), errors: 2 },
    { name: "processes of a cluster", code: body("cluster.fork();", 'import cluster from "node:cluster";'), errors: 1 },
    { name: "a pool", code: body("return pool.run(input);", 'import Pool from "piscina";\nconst pool = new Pool();'), errors: 1 },
  ],
});
