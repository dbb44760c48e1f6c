// beside-thread: the thread that does one long read of a file, and ends.

import { parentPort, workerData } from "node:worker_threads";
import type { BesideTask, FromBeside } from "./beside.ts";
import { copyFile } from "./copy-file.ts";
import { messageOf } from "./database-file.ts";
import { checkFile } from "./integrity.ts";
import { sizesOf } from "./sizes.ts";

const tell = (message: FromBeside): void => parentPort?.postMessage(message);
const task = workerData as BesideTask;

try {
  switch (task.kind) {
    case "copy":
      await copyFile(task, (progress) => tell({ kind: "progress", progress }));
      tell({ kind: "done", answer: undefined });
      break;
    case "sizes":
      tell({ kind: "done", answer: sizesOf(task.path, task.hub) });
      break;
    case "check":
      tell({ kind: "done", answer: checkFile(task.path) });
      break;
  }
} catch (error) {
  tell({ kind: "refused", error: (error as Error).name, message: messageOf(error) });
}
