// disk: full, failing, slow, read-only and damaged disks under a hub at work, in real processes.
//
// Owns:    the classes of faults, and what each must and must not lead to.
// Always:  D4 writes are refused in words, reads go on, nothing that was confirmed is lost, no process dies, the event loop is not held; when the
//          disk is well again everything goes on by itself and completes once.
//          A class that cannot run here is skipped with its reason; one that met nothing fails.
import { join } from "node:path";
import { damagedPages, damagedRows } from "./damage.ts";
import { smallDisk } from "./small-disk.ts";
import { Tally } from "./tally.ts";
import type { Report } from "./tally.ts";
import { hitsIn, traced, whyNoTracing } from "./tracing.ts";
import { trial } from "./trial.ts";
import type { Trial } from "./trial.ts";

export interface DiskOptions {
  readonly seed: number;
  /** Those alone. */
  readonly faults?: readonly FaultName[];
  readonly tell?: (line: string) => void;
}

/** What a fault class is given. */
interface Setting {
  readonly seed: number;
  readonly tally: Tally;
}

/** Runs a class; answers what is wrong, or why it cannot run. */
type FaultClass = (setting: Setting) => Promise<readonly string[] | string>;

/** The write-ahead log takes up to 40 MiB before it is carried over: on a disk smaller than that a hub needs no help to fill it for good. */
const SMALL_MIB = 64;
const FULL_MS = 1_500;
/** The event loop may be held by other things on a busy machine; by a disk that is waited for it would be for much longer. */
const LOOP_HELD_MS = 1_500;
const SLOW_FSYNC_MS = 400;

/** A disk that is filled under load, twice, and once more under a process that is killed there. */
function fullDisk(kind: "tmpfs" | "ext4"): FaultClass {
  return async ({ seed, tally }) => {
    const disk = smallDisk(kind, SMALL_MIB);
    if (typeof disk === "string") return disk;
    const name = `full ${kind}`;
    try {
      return await trial(name, { seed, tally, file: join(disk.path, "hub.db") }, async (it) => {
        it.load(20);
        await it.begin();
        await it.askFor(2_000);
        for (const killed of [false, true]) {
          const before = it.desk.counts.unavailable;
          disk.fill();
          await it.victim.ask("loopDelay");
          for (const until = performance.now() + FULL_MS; performance.now() < until;) {
            it.load(2);
            await it.askFor(0);
            disk.fill(); // what was truncated or deleted meanwhile makes no room
            await reads(it, name);
          }
          tally.add(`${name}: refusals`, it.desk.counts.unavailable - before);
          clearRefusals(it, /full|space/i);
          await loopIsFree(it, name);
          if (killed) {
            await it.end();
            const refusal = await it.tryToBegin();
            if (refusal !== undefined) {
              tally.add(`${name}: refused to open while full`);
              if (refusal.code !== "STORE_UNAVAILABLE")
                it.violations.push(`D4 a full disk is told at open as ${refusal.code}: ${refusal.message}`);
            }
            disk.makeRoom();
            if (refusal !== undefined) await it.begin();
          }
          disk.makeRoom();
          await it.askFor(500);
        }
        await it.finish();
      });
    } finally {
      disk.release();
    }
  };
}

/** Calls on the files of the database that fail for a while. `open`: whether the victim meets it while it opens the file already. */
function failing(
  name: string,
  error: string,
  calls: readonly string[],
  windows: readonly string[],
  on: readonly string[] = ["", "-wal"],
): FaultClass {
  return async ({ seed, tally }) => {
    const why = whyNoTracing();
    if (why !== undefined) return why;
    const wrong: string[] = [];
    for (const when of windows) {
      wrong.push(
        ...(await trial(`${name} (${calls.join("+")} ${when})`, { seed, tally }, async (it) => {
          const log = join(it.folder, "strace.log");
          const files = on.map((end) => `${it.file}${end}`);
          // The first life makes the file and some work; the failures are for one that goes on with it.
          it.load(10);
          await it.begin();
          await it.askFor(2_000);
          await it.end();
          it.load(20);
          const around = traced({ calls, what: `error=${error}`, when, files, log });
          let refusal = await it.tryToBegin(around);
          for (let tries = 1; refusal !== undefined && tries <= 3; tries++) {
            tally.add(`${name}: refused to open`);
            // SQLite itself takes a page that cannot be read for one that is damaged.
            const says = name === "read EIO" ? ["STORE_UNAVAILABLE", "STORE_FORMAT"] : ["STORE_UNAVAILABLE"];
            if (!says.includes(refusal.code)) it.violations.push(`D3 ${error} is told at open as ${refusal.code}: ${refusal.message}`);
            tally.add(`${name}: calls that failed`, hitsIn(log));
            refusal = await it.tryToBegin(tries === 3 ? [] : around);
          }
          if (refusal !== undefined) return void it.violations.push(`D3 a well disk was refused after ${error}: ${refusal.message}`);
          await it.finish();
          tally.add(`${name}: calls that failed`, hitsIn(log));
          tally.add(`${name}: refusals`, it.desk.counts.unavailable);
          clearRefusals(it, /./);
        })),
      );
    }
    return wrong;
  };
}

/** What is confirmed after a failed fsync is there after a kill: nothing is answered from a handle that may have lost it. */
const killedAfterFailedFsync: FaultClass = async ({ seed, tally }) => {
  const why = whyNoTracing();
  if (why !== undefined) return why;
  const name = "killed after a failed fsync";
  const wrong: string[] = [];
  for (const when of ["3..4", "12", "25..40"]) {
    wrong.push(
      ...(await trial(`${name} (${when})`, { seed, tally }, async (it) => {
        const log = join(it.folder, "strace.log");
        it.load(20);
        await it.begin(traced({ calls: ["fsync", "fdatasync"], what: "error=EIO", when, files: [`${it.file}-wal`], log }));
        for (let i = 0; i < 60 && hitsIn(log) === 0; i++) {
          it.load(2);
          await it.askFor(50);
        }
        await it.askFor(200);
        tally.add(`${name}: calls that failed`, hitsIn(log));
        await it.end();
        await it.begin();
        await it.finish();
      })),
    );
  }
  return wrong;
};

const slowDisk: FaultClass = async ({ seed, tally }) => {
  const why = whyNoTracing();
  if (why !== undefined) return why;
  const name = "slow fsync";
  return trial(name, { seed, tally }, async (it) => {
    const log = join(it.folder, "strace.log");
    it.load(15);
    await it.begin(
      traced({ calls: ["fsync", "fdatasync"], what: `delay_exit=${SLOW_FSYNC_MS}ms`, when: "8..30", files: [`${it.file}-wal`], log }),
    );
    await it.victim.ask("loopDelay");
    await it.askFor(3_000);
    await loopIsFree(it, name, SLOW_FSYNC_MS * 0.9);
    await it.finish();
    tally.add(`${name}: calls that came late`, hitsIn(log));
  });
};

/** A file system that is mounted to read: refused in words; when it is mounted to write again the hub opens. */
const readOnlyDisk: FaultClass = async ({ seed, tally }) => {
  const disk = smallDisk("ext4", SMALL_MIB);
  if (typeof disk === "string") return disk;
  const name = "read-only file system";
  try {
    return await trial(name, { seed, tally, file: join(disk.path, "hub.db") }, async (it) => {
      it.load(10);
      await it.begin();
      await it.askFor(200);
      await it.end();
      disk.remount("ro");
      const refusal = await it.tryToBegin();
      if (refusal === undefined) it.violations.push("a hub opened to write on a file system that cannot be written");
      else {
        tally.add(`${name}: refused to open`);
        if (refusal.code !== "STORE_UNAVAILABLE")
          it.violations.push(`a read-only file system is told at open as ${refusal.code}: ${refusal.message}`);
      }
      disk.remount("rw");
      await it.begin();
      await it.finish();
    });
  } finally {
    disk.release();
  }
};

/** Too few files may be open: refused in words; with more of them it opens. */
const noFilesLeft: FaultClass = async ({ seed, tally }) => {
  const name = "no file may be opened (EMFILE)";
  return trial(name, { seed, tally }, async (it) => {
    it.load(10);
    await it.begin();
    await it.askFor(200);
    await it.end();
    // Node itself needs some, and says nothing of use when it has too few: the lowest numbers are its own affair.
    for (let files = 40; files >= 18; files -= 1) {
      const refusal = await it.tryToBegin(["sh", "-c", `ulimit -n ${files}; exec "$@"`, "sh"]).catch((error: Error) => error.message);
      if (typeof refusal === "string") tally.add(`${name}: too few for Node itself`);
      else if (refusal !== undefined) {
        tally.add(`${name}: refused to open`);
        if (refusal.code !== "STORE_UNAVAILABLE" && refusal.code !== "EMFILE")
          it.violations.push(`EMFILE is told at open as ${refusal.code}: ${refusal.message}`);
      }
      if (typeof refusal === "string") break;
    }
    await it.begin();
    await it.finish();
  });
};

/** Files may not grow beyond a size: writes are cut short at it, and refused beyond. */
const fileSizeLimit: FaultClass = async ({ seed, tally }) => {
  const name = "file size limit (EFBIG, short writes)";
  return trial(name, { seed, tally }, async (it) => {
    const blocks = 400; // of 512 or 1024 bytes, as the shell counts
    it.load(20);
    await it.begin(["sh", "-c", `trap "" XFSZ; ulimit -S -f ${blocks}; exec "$@"`, "sh"]);
    for (const until = performance.now() + 20_000; performance.now() < until && it.desk.counts.unavailable < 20;) {
      it.load(4);
      await it.askFor(0);
      // A write that was cut short is an I/O error: until the log could be carried over, nothing is answered from such a file (D3).
      await reads(it, name, false);
    }
    tally.add(`${name}: refusals`, it.desk.counts.unavailable);
    clearRefusals(it, /./);
    await it.end();
    await it.begin();
    await it.finish();
  });
};

/** Reads go on: what was asked for before can be looked at. */
async function reads(it: Trial, name: string, must = true): Promise<void> {
  const plan = it.desk.plans[0];
  if (plan === undefined) return;
  try {
    await it.victim.ask("look", plan.id);
    it.tally.add(`${name}: reads while it failed`);
  } catch (error) {
    if (must) it.violations.push(`D4 a read failed: ${(error as Error).message}`);
    else it.tally.add(`${name}: reads refused while it failed`);
  }
}

/** What a refusal says must tell a person what is the matter. */
function clearRefusals(it: Trial, says: RegExp): void {
  for (const message of it.desk.refusals) if (!says.test(message)) it.violations.push(`D4 a refusal does not say why: ${message}`);
}

async function loopIsFree(it: Trial, name: string, limitMs = LOOP_HELD_MS): Promise<void> {
  const held = await it.victim.ask("loopDelay");
  it.tally.add(`${name}: ms the event loop was held at most`, Math.round(held));
  if (held > limitMs) it.violations.push(`D4 the event loop was held for ${Math.round(held)} ms`);
}

/** The classes of faults. */
export const faults = {
  "full tmpfs": fullDisk("tmpfs"),
  "full ext4": fullDisk("ext4"),
  "write EIO": failing("write EIO", "EIO", ["pwrite64"], ["2..3", "30..31", "60..90"]),
  "write ENOSPC": failing("write ENOSPC", "ENOSPC", ["pwrite64"], ["25..60"]),
  "write EROFS": failing("write EROFS", "EROFS", ["pwrite64"], ["25..40"]),
  "fsync EIO": failing("fsync EIO", "EIO", ["fsync", "fdatasync"], ["1", "5", "9..14", "20", "40..44"]),
  "read EIO": failing("read EIO", "EIO", ["pread64"], ["2", "9..12", "40..45"]),
  "truncate EIO": failing("truncate EIO", "EIO", ["ftruncate"], ["1..2"], ["", "-wal", "-shm"]),
  "killed after a failed fsync": killedAfterFailedFsync,
  "slow fsync": slowDisk,
  "read-only file system": readOnlyDisk,
  "no file may be opened": noFilesLeft,
  "file size limit": fileSizeLimit,
  "damaged rows": damagedRows,
  "damaged pages": damagedPages,
} satisfies Record<string, FaultClass>;

export type FaultName = keyof typeof faults;
export const faultNames = Object.keys(faults) as FaultName[];

/** What must have been met at least once of each class that ran. */
const HITS: { readonly [K in FaultName]: readonly string[] } = {
  "full tmpfs": ["full tmpfs: refusals", "full tmpfs: reads while it failed"],
  "full ext4": ["full ext4: refusals", "full ext4: reads while it failed"],
  "write EIO": ["write EIO: calls that failed"],
  "write ENOSPC": ["write ENOSPC: calls that failed"],
  "write EROFS": ["write EROFS: calls that failed"],
  "fsync EIO": ["fsync EIO: calls that failed"],
  "read EIO": ["read EIO: calls that failed"],
  "truncate EIO": ["truncate EIO: calls that failed"],
  "killed after a failed fsync": ["killed after a failed fsync: calls that failed"],
  "slow fsync": ["slow fsync: calls that came late"],
  "read-only file system": ["read-only file system: refused to open"],
  "no file may be opened": ["no file may be opened (EMFILE): refused to open"],
  "file size limit": ["file size limit (EFBIG, short writes): refusals"],
  "damaged rows": ["damaged rows: bits flipped"],
  "damaged pages": ["damaged pages: bits flipped"],
};

/** Runs the classes. */
export async function diskCampaign({ seed, faults: names = faultNames, tell = () => undefined }: DiskOptions): Promise<Report> {
  const tally = new Tally();
  const violations: string[] = [];
  const skipped: string[] = [];
  const required: string[] = [];
  for (const name of names) {
    const found = await faults[name]({ seed, tally });
    if (typeof found === "string") skipped.push(`${name}: ${found}`);
    else {
      violations.push(...found);
      required.push(...HITS[name]);
    }
    tell(`${name}: ${typeof found === "string" ? `skipped, ${found}` : `${found.length} violations`}`);
  }
  return { name: "disk", seed, counts: tally.counts, required, violations, skipped };
}
