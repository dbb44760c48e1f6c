// small-disk: a file system of a few MiB of one's own, which can be filled up. Needs root; who has it not is told so.
//
// Always:  what was mounted is unmounted: by `release`, when this process ends in whatever way it can notice, or by the next one.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk {
  readonly path: string;
  /** Fills what is free, to the last byte. */
  fill(): void;
  /** Takes the ballast away. */
  makeRoom(): void;
  readonly freeBytes: number;
  remount(how: "ro" | "rw"): void;
  release(): void;
}

const mounted = new Set<() => void>();
process.once("exit", () => {
  for (const release of mounted) release();
});

/** Whoever was killed with -9 could not unmount what it had mounted. Folders carry the pid of who made them. */
function releaseThoseOfTheDead(): void {
  if (!existsSync("/proc/mounts")) return;
  for (const [, path, folder, pid] of readFileSync("/proc/mounts", "utf8").matchAll(
    / ((\S+\/ostinato-(?:tmpfs|ext4)-(\d+)-\w+)\/disk) /g,
  )) {
    if (existsSync(`/proc/${pid}`)) continue;
    spawnSync("umount", ["-l", path!]);
    rmSync(folder!, { recursive: true, force: true });
  }
}

/** Mounts a file system; or says why it cannot. */
export function smallDisk(kind: "tmpfs" | "ext4", mebibytes: number): SmallDisk | string {
  if (process.getuid?.() !== 0) return `a ${kind} of ${mebibytes} MiB can be mounted by root alone`;
  releaseThoseOfTheDead();
  const folder = mkdtempSync(join(tmpdir(), `ostinato-${kind}-${process.pid}-`));
  const path = join(folder, "disk");
  const image = join(folder, "image");
  mkdirSync(path);
  const run = (command: string, ...args: string[]): string | undefined => {
    const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
    return status === 0 ? undefined : `${command} ${args.join(" ")}: ${(error?.message ?? stderr).trim()}`;
  };
  let failed: string | undefined;
  if (kind === "tmpfs") failed = run("mount", "-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", path);
  else {
    closeSync(openSync(image, "w"));
    truncateSync(image, mebibytes * 1_048_576);
    failed = run("mkfs.ext4", "-q", "-F", image) ?? run("mount", "-o", "loop", image, path);
  }
  if (failed !== undefined) {
    rmSync(folder, { recursive: true, force: true });
    return failed;
  }
  const release = (): void => {
    if (!mounted.delete(release)) return;
    // Lazily when somebody still has a file open: the name goes now, the rest when they let go.
    if (run("umount", path) !== undefined) run("umount", "-l", path);
    rmSync(folder, { recursive: true, force: true });
  };
  mounted.add(release);
  const ballast = join(path, "ballast");
  return {
    path,
    fill() {
      const file = openSync(ballast, "a");
      try {
        for (let size = 65_536; size >= 1;) {
          try {
            if (writeSync(file, Buffer.alloc(size, 1)) < size) size = Math.floor(size / 2);
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
            size = Math.floor(size / 2);
          }
        }
      } finally {
        closeSync(file);
      }
    },
    makeRoom: () => rmSync(ballast, { force: true }),
    get freeBytes() {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    },
    remount(how) {
      const wrong = run("mount", "-o", `remount,${how}`, path);
      if (wrong !== undefined) throw new Error(wrong);
    },
    release,
  };
}
