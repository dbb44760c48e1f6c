// dbos: DBOS Transact, with its system database in the place's database and everything else as it comes.
import { hello } from "./programs.ts";
import { importOfPeer, type OpenPeer, type PeerProgram } from "./peer.ts";

type Workflow = (input: number) => Promise<unknown>;
interface Dbos {
  setConfig(config: Readonly<Record<string, unknown>>): void;
  registerWorkflow(body: Workflow, options: { readonly name: string }): Workflow;
  runStep<T>(body: () => Promise<T>, options: { readonly name: string }): Promise<T>;
  startWorkflow(workflow: Workflow): (input: number) => Promise<{ getResult(): Promise<unknown> }>;
  launch(): Promise<void>;
  shutdown(): Promise<void>;
}

/** Opens DBOS over a database. */
export async function openDbos(database: string): Promise<OpenPeer> {
  const { DBOS } = await importOfPeer<{ readonly DBOS: Dbos }>("dbos", "@dbos-inc/dbos-sdk/dist/src/index.js");
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: database, runAdminServer: false, logLevel: "error" });
  const step = (i: number): Promise<string> => DBOS.runStep(() => hello({ city: "Tokyo", i }), { name: "hello" });
  const inSequence = async (steps: number): Promise<string[]> => {
    const results: string[] = [];
    for (let i = 0; i < steps; i++) results.push(await step(i));
    return results;
  };
  const workflows: Readonly<Record<PeerProgram, Workflow>> = {
    chain10: DBOS.registerWorkflow(() => inSequence(10), { name: "chain10" }),
    chain: DBOS.registerWorkflow(async (steps) => (await inSequence(steps)).at(-1), { name: "chain" }),
    fanOut: DBOS.registerWorkflow(async (width) => (await Promise.all(Array.from({ length: width }, (_, i) => step(i)))).length, {
      name: "fanOut",
    }),
    one: DBOS.registerWorkflow(() => step(1), { name: "one" }),
  };
  await DBOS.launch();
  return {
    async start(program, input = 0) {
      const handle = await DBOS.startWorkflow(workflows[program])(input);
      return { ended: () => handle.getResult(), result: () => handle.getResult() };
    },
    close: () => DBOS.shutdown(),
  };
}
