// check: would today's code go on with the instances that are open?
import { checkInstances, definitionsOf } from "ostinato/history";
import type { CheckReport } from "ostinato/history";
import { reading } from "../connect.ts";
import { EXIT, usageError } from "../exit-codes.ts";
import { loadModule } from "../load-module.ts";
import { plain } from "../print/escape.ts";
import type { Session } from "../session.ts";

export interface CheckOptions {
  readonly module: readonly string[];
  readonly against?: string;
}

/** Replays every open instance with the orchestrators that the modules export. Reads only. */
export async function check(session: Session, { module, against }: CheckOptions): Promise<number> {
  const orchestrators = (await Promise.all(module.map(loadModule))).flatMap((exported) => definitionsOf(exported).orchestrators);
  if (orchestrators.length === 0)
    throw usageError(
      `${module.map(plain).join(", ")} exports no orchestrators: export what orchestrator(...) returned, alone or in lists.`,
    );
  const at = against === undefined ? session : { ...session, url: against };
  const report = await reading(at, (hub) => checkInstances(hub, { orchestrators }));
  await (session.json ? session.tell(shapeOf(report)) : session.say(...report.toString().split("\n").map(plain)));
  return report.ok ? EXIT.ok : EXIT.no;
}

function shapeOf({
  ok,
  total,
  counts,
  differences,
  notRegistered,
  failedToRun,
  gates,
  unneededGates,
  versionReaders,
  openVersions,
}: CheckReport): object {
  return { ok, total, counts, differences, notRegistered, failedToRun, gates, unneededGates, versionReaders, openVersions };
}
