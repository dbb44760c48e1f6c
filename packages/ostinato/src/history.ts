// ostinato/history: recorded histories: out of a task hub, into files, and replayed with today's code.

export { checkInstances, type CheckOptions, type CheckPrograms, type CheckReport } from "./history/check-instances.ts";
export { definitionsOf, type ModuleDefinitions } from "./history/definitions-of.ts";
export type { HistoryDocument, HistoryFileFormat, InstanceFacts } from "./history/document.ts";
export type { ExportOptions, ExportProgress, HistoryWriter } from "./history/export-histories.ts";
export { historyFiles, readHistories, type ReadOptions } from "./history/history-files.ts";
export type { Histories, HistorySource, ReplayRules } from "./history/hub-histories.ts";
export { assertReplays, replay, type HistoriesToReplay, type ReplayOptions, type ReplayPrograms } from "./history/replay.ts";
export type {
  CallDifference,
  DifferentReplay,
  FailedReplay,
  NotRegisteredReplay,
  OutcomeDifference,
  ReplayDifference,
  ReplayReport,
  ReplayResult,
  ReplayVerdict,
  SameReplay,
} from "./history/report.ts";
export type { OpenVersion, VersionGate, VersionReader } from "./history/version-gates.ts";
