// worker: the process that holds the file and runs the programs. The parent asks it by IPC, and kills it.
import { openTaskHub } from "ostinato";
import { hello, sequence } from "../hello/main.ts";
import { approvalReceived, Order, placeOrder, purchaseOrder, sendApprovalRequest } from "../human-approval/main.ts";
import { activityOne, activityThree, activityTwo, migrating } from "../versioned/main.ts";
import * as mixed from "./mixed-load.ts";
import type { KindName } from "./mixed-load.ts";
import { addTax, hashFile, hashFolder, invoice, listFiles, price, relay, relayStep } from "./programs.ts";

/** What the parent may ask for; each answer is what the function resolves to. */
export interface Questions {
  sequence: (id: string) => Promise<void>;
  hashFolder: (id: string, folder: string) => Promise<void>;
  purchaseOrder: (id: string, product: string, cost: number, quantity: number) => Promise<void>;
  approve: (id: string, approver: string) => Promise<void>;
  invoice: (id: string, basket: readonly (readonly [string, number])[]) => Promise<string>;
  migrating: (id: string, version: string) => Promise<void>;
  relay: (id: string, steps: number, ms: number) => Promise<void>;
  load: (kind: KindName, id: string, n: number) => Promise<void>;
  raise: (kind: KindName, id: string, n: number) => Promise<void>;
  result: (id: string) => Promise<unknown>;
  stop: () => Promise<void>;
}

export interface Question {
  readonly number: number;
  readonly ask: keyof Questions;
  readonly with: readonly unknown[];
}

export type Notice =
  | { readonly kind: "ready" }
  | { readonly kind: "said"; readonly text: string }
  | { readonly kind: "answer"; readonly number: number; readonly value: unknown }
  | { readonly kind: "refused"; readonly number: number; readonly code: string; readonly message: string };

const [file = "", runsFile] = process.argv.slice(2);
const tell = (notice: Notice): void => void process.send?.(notice);
// What activities print goes to the parent, in order with everything else.
console.log = (...words: unknown[]) => tell({ kind: "said", text: words.join(" ") });
mixed.recordRunsIn(runsFile);

const hub = await openTaskHub(`sqlite:${file}`, { defaultVersion: "2.0.0" });
const worker = await hub.startWorker({
  orchestrators: [sequence, hashFolder, purchaseOrder, invoice, migrating, relay, ...mixed.orchestrators],
  activities: [
    ...[hello, listFiles, hashFile, sendApprovalRequest, placeOrder, price, addTax, activityOne, activityTwo, activityThree, relayStep],
    ...mixed.activities,
  ],
  versioning: { version: "2.0.0", defaultVersion: "2.0.0", matchStrategy: "currentOrOlder", failureStrategy: "fail" },
});

const questions: Questions = {
  async sequence(id) {
    await hub.start(sequence, undefined, { instanceId: id });
  },
  async hashFolder(id, folder) {
    await hub.start(hashFolder, folder, { instanceId: id });
  },
  async purchaseOrder(id, product, cost, quantity) {
    await hub.start(purchaseOrder, new Order(product, cost, quantity), { instanceId: id, tags: { team: "it" } });
  },
  async approve(id, approver) {
    await hub.instance(id).raiseEvent(approvalReceived, { approver });
  },
  async invoice(id, basket) {
    const instance = await hub.start(invoice, new Map(basket), { instanceId: id });
    const total = await instance.result(); // a Money again, methods and all
    return `${total.constructor.name} ${total.toString()}`;
  },
  async migrating(id, version) {
    await hub.start(migrating, undefined, { instanceId: id, version });
  },
  async relay(id, steps, ms) {
    await hub.start(relay, { steps, ms }, { instanceId: id });
  },
  async load(kind, id, n) {
    await mixed.load[kind].start(hub, id, n);
  },
  async raise(kind, id, n) {
    const each = mixed.load[kind];
    if ("raise" in each) await hub.instance(id).raiseEvent(each.raise, n);
  },
  result: (id) => hub.instance(id).result(),
  async stop() {
    await worker.stop();
    await hub.close();
  },
};

process.on("message", (question: Question) => {
  const answer = questions[question.ask] as (...args: readonly unknown[]) => Promise<unknown>;
  answer(...question.with).then(
    (value) => {
      tell({ kind: "answer", number: question.number, value });
      if (question.ask === "stop") process.disconnect();
    },
    (error: Error & { code?: string }) => {
      tell({ kind: "refused", number: question.number, code: error.code ?? error.name, message: error.message });
    },
  );
});
// Without its parent it has nobody to work for.
process.on("disconnect", () => void questions.stop().finally(() => process.exit()));
tell({ kind: "ready" });
