// openworkflow: OpenWorkflow over PostgreSQL, with one worker that has room for everything in flight.
//
// Its handles look for results once a second, so a run counts as ended when its function has returned, which is a little before that is written.
import { hello } from "./programs.ts";
import { importOfPeer, type OpenPeer, type PeerProgram } from "./peer.ts";

interface Step {
  run<T>(options: { readonly name: string }, body: () => Promise<T>): Promise<T>;
}
interface Input {
  readonly size: number;
  readonly key: string;
}
interface Runnable {
  run(input: Input): Promise<{ result(): Promise<unknown> }>;
}
interface Module {
  readonly OpenWorkflow: new (options: { readonly backend: Backend }) => {
    defineWorkflow(
      spec: { readonly name: string },
      body: (given: { readonly input: Input; readonly step: Step }) => Promise<unknown>,
    ): Runnable;
    newWorker(options: { readonly concurrency: number }): { start(): Promise<void>; stop(): Promise<void> };
  };
}
interface Backend {
  stop(): Promise<void>;
}

const ROOM = 200;

/** Opens OpenWorkflow over a database. */
export async function openOpenWorkflow(database: string): Promise<OpenPeer> {
  const { BackendPostgres } = await importOfPeer<{ readonly BackendPostgres: { connect(url: string): Promise<Backend> } }>(
    "openworkflow",
    "openworkflow/dist/postgres.js",
  );
  const { OpenWorkflow } = await importOfPeer<Module>("openworkflow", "openworkflow/dist/index.js");
  const backend = await BackendPostgres.connect(database);
  const engine = new OpenWorkflow({ backend });
  const waiting = new Map<string, () => void>();

  const define = (name: PeerProgram, body: (size: number, step: (i: number) => Promise<string>) => Promise<unknown>): Runnable =>
    engine.defineWorkflow({ name }, async ({ input, step }) => {
      const result = await body(input.size, (i) => step.run({ name: `hello-${i}` }, () => hello({ city: "Tokyo", i })));
      waiting.get(input.key)?.();
      return result;
    });
  const inSequence = async (steps: number, step: (i: number) => Promise<string>): Promise<string[]> => {
    const results: string[] = [];
    for (let i = 0; i < steps; i++) results.push(await step(i));
    return results;
  };
  const workflows: Readonly<Record<PeerProgram, Runnable>> = {
    chain10: define("chain10", (_, step) => inSequence(10, step)),
    chain: define("chain", async (size, step) => (await inSequence(size, step)).at(-1)),
    fanOut: define("fanOut", async (size, step) => (await Promise.all(Array.from({ length: size }, (_, i) => step(i)))).length),
    one: define("one", (_, step) => step(1)),
  };
  const worker = engine.newWorker({ concurrency: ROOM });
  await worker.start();
  let count = 0;
  return {
    async start(program, size = 0) {
      const key = String(count++);
      const ended = new Promise<void>((resolve) => waiting.set(key, resolve)).finally(() => waiting.delete(key));
      const handle = await workflows[program].run({ size, key });
      return { ended: () => ended, result: () => handle.result() };
    },
    async close() {
      await worker.stop();
      await backend.stop();
    },
  };
}
