// surface: what each door shows, written to api/*.txt. `--check` fails when a file differs, so a change of the surface is a diff somebody reads.
//
// Owns:    the form of those files: the public names in order of the alphabet, each as TypeScript declares it, then the types that
//          they reach and that no door shows.
// Always:  taken from the declarations that tsc emits, so it says what a user's editor will say; comments are left out.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { publicPackages, readManifest } from "./pack.ts";

const root = join(import.meta.dirname, "..");
const api = join(root, "api");

function optionsOf(folder: string): ts.ParsedCommandLine {
  const path = join(folder, "tsconfig.build.json");
  const parsed = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path, (name) => ts.sys.readFile(name)).config,
    ts.sys,
    folder,
    undefined,
    path,
  );
  return parsed;
}

/** The declarations of a package, in memory, laid where their sources are. */
function declarationsOf(folder: string): { program: ts.Program; own: ReadonlySet<string> } {
  const { options, fileNames } = optionsOf(folder);
  const settings = {
    ...options,
    noEmit: false,
    noEmitOnError: false,
    declaration: true,
    emitDeclarationOnly: true,
    removeComments: true,
    outDir: join(folder, "src"),
  };
  const texts = new Map<string, string>();
  ts.createProgram(fileNames, settings).emit(undefined, (path, text) => void texts.set(path, text));
  const host = ts.createCompilerHost({});
  const readSource = host.readFile.bind(host);
  const hasFile = host.fileExists.bind(host);
  const isOurSource = (path: string): boolean => path.startsWith(join(folder, "src")) && path.endsWith(".ts") && !path.endsWith(".d.ts");
  host.readFile = (path) => texts.get(path) ?? readSource(path);
  host.fileExists = (path) => texts.has(path) || (!isOurSource(path) && hasFile(path));
  host.getSourceFile = (path, version) => {
    const text = host.readFile(path);
    return text === undefined ? undefined : ts.createSourceFile(path, text, version, true);
  };
  const { outDir: _outDir, rootDir: _rootDir, ...rest } = options;
  return {
    program: ts.createProgram([...texts.keys()], { ...rest, noEmit: true }, host),
    own: new Set([...texts.keys()].filter((path) => path.startsWith(join(folder, "src")))),
  };
}

function declarationText(declaration: ts.Declaration): string {
  let node: ts.Node = declaration;
  if (ts.isVariableDeclaration(node)) node = node.parent.parent;
  return node
    .getText()
    .replace(/^export (?:declare )?|^declare /, "")
    .replace(/\r\n/g, "\n")
    .replace(/ {4}/g, "  ");
}

function describe(program: ts.Program, own: ReadonlySet<string>, door: string): string {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(door);
  const module = file && checker.getSymbolAtLocation(file);
  if (!file || !module) return "(shows nothing)\n";
  const resolved = (symbol: ts.Symbol): ts.Symbol => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  const textOf = (symbol: ts.Symbol): string => [...new Set((symbol.declarations ?? []).map(declarationText))].join("\n");
  const byName = (a: ts.Symbol, b: ts.Symbol): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

  const shown = checker.getExportsOfModule(module).sort(byName);
  const known = new Set(shown.map(resolved));
  const reached: ts.Symbol[] = [];
  const queue = [...known];
  for (let symbol = queue.shift(); symbol; symbol = queue.shift()) {
    for (const declaration of symbol.declarations ?? []) {
      const visit = (node: ts.Node): void => {
        const found = ts.isIdentifier(node) ? checker.getSymbolAtLocation(node) : undefined;
        const target = found && resolved(found);
        const first = target?.declarations?.[0];
        if (target && first && !known.has(target) && own.has(first.getSourceFile().fileName) && isTopLevel(first)) {
          known.add(target);
          reached.push(target);
          queue.push(target);
        }
        ts.forEachChild(node, visit);
      };
      visit(ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration);
    }
  }
  const lines = shown.map((symbol) => {
    const target = resolved(symbol);
    const renamed = target.name === symbol.name ? "" : `// as ${symbol.name}\n`;
    return `${renamed}${textOf(target)}\n`;
  });
  if (reached.length > 0)
    lines.push("// reached by the above, shown by name at no door:\n", ...reached.sort(byName).map((symbol) => `${textOf(symbol)}\n`));
  return lines.join("\n");
}

function isTopLevel(declaration: ts.Declaration): boolean {
  const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  return ts.isSourceFile(node.parent);
}

const wanted = new Map<string, string>();
for (const folder of await publicPackages()) {
  const manifest = await readManifest(folder);
  const { program, own } = declarationsOf(folder);
  for (const [door, target] of Object.entries(manifest.exports ?? {})) {
    if (!target.endsWith(".ts")) continue;
    const name = `${manifest.name}${door.slice(1)}`;
    const path = `${name.replace(/^@[^/]+\//, "").replaceAll("/", "-")}.txt`;
    wanted.set(
      path,
      `// ${name}: what this door shows. Written by \`npm run surface\`; a change here is a change for users.\n\n${describe(program, own, join(folder, target.replace(/\.ts$/, ".d.ts")))}`,
    );
  }
}

mkdirSync(api, { recursive: true });
const present = readdirSync(api).filter((name) => name.endsWith(".txt"));
if (process.argv.includes("--check")) {
  const stale = [...wanted]
    .filter(([path, text]) => !existsSync(join(api, path)) || readFileSync(join(api, path), "utf8") !== text)
    .map(([path]) => path);
  const gone = present.filter((path) => !wanted.has(path));
  for (const path of stale) console.log(`api/${path} is not what the door shows today`);
  for (const path of gone) console.log(`api/${path} belongs to no door`);
  if (stale.length + gone.length > 0) {
    console.log("Run `npm run surface`, and read the diff as a user would.");
    process.exitCode = 1;
  } else console.log(`surface: ${wanted.size} doors as written`);
} else {
  for (const path of present) if (!wanted.has(path)) rmSync(join(api, path));
  for (const [path, text] of wanted) writeFileSync(join(api, path), text);
  console.log(`surface: wrote ${wanted.size} files to api/`);
}
