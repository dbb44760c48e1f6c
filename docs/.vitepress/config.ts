// config: the pages of the repository as a searchable site: the guide, the glossary, the figures, the decisions, the rules of the lint plugin.
//
// Always:  S1 the pages stay where the repository reads them, with links that work there; nothing is written for the site alone but its front page.
//          S2 a link to a page that does not exist stops the build. What is linked and is no page (a source file) is shown as text.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { defineConfig, type DefaultTheme } from "vitepress";

const root = resolve(import.meta.dirname, "../..");

/** The order in which the guide is read; what is not named here follows by name. */
const GUIDE = [
  "getting-started",
  "function-chaining",
  "fan-out-fan-in",
  "human-interaction",
  "sub-orchestrations",
  "eternal-orchestrations",
  "entities",
  "critical-sections",
  "schedules",
  "retries-and-timeouts",
  "instances",
  "payloads-and-classes",
  "versions-and-deploys",
  "determinism",
  "determinism-and-replay",
  "testing",
  "operating-a-file",
  "moving-a-hub",
  "many-processes",
  "one-server-many-workers",
  "workers-in-other-languages",
  "azure-durable-task-scheduler",
  "production-checklist",
  "telemetry",
  "command-line",
  "moving-from-durable-functions",
  "moving-from-durabletask-js",
  "moving-from-temporal",
  "moving-from-dbos",
];

// tidy: allow forms because the generator reads its configuration that way
export default defineConfig({
  title: "Ostinato",
  description: "Durable orchestrations in TypeScript",
  srcDir: "..",
  srcExclude: ["**/dist/**", "**/cache/**"],
  outDir: "./dist",
  cacheDir: "./cache",
  cleanUrls: true,
  lastUpdated: false,
  rewrites: { "docs/index.md": "index.md" },
  // Pages lie above the folder where the generator is installed, so what they import is looked up from here.
  vite: { resolve: { alias: { vue: resolve(import.meta.dirname, "../node_modules/vue") } } },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Guide", link: "/docs/guide/getting-started" },
      { text: "Examples", link: "/examples/tour/README" },
      { text: "Performance", link: "/docs/performance" },
      { text: "Architecture", link: "/ARCHITECTURE" },
    ],
    sidebar: [
      { text: "Guide", items: inOrder(pagesOf("docs/guide"), GUIDE) },
      {
        text: "Reference",
        items: ["docs/glossary.md", "docs/operations.md", "docs/interop.md", "docs/performance.md", "CHANGELOG.md"].map(page),
      },
      {
        text: "Packages",
        items: ["cli", "grpc", "eslint-plugin"]
          .map((name) => `packages/${name}/README.md`)
          .filter(isThere)
          .map(page),
      },
      { text: "Lint rules", collapsed: true, items: pagesOf("packages/eslint-plugin/docs/rules") },
      { text: "Examples", collapsed: true, items: examples() },
      {
        text: "For builders",
        collapsed: true,
        items: ["ARCHITECTURE.md", "STYLE.md", "CONTRIBUTING.md", "reliability/README.md"].map(page),
      },
      { text: "Decisions", collapsed: true, items: pagesOf("docs/decisions") },
    ],
  },
  markdown: {
    config(markdown) {
      const open = markdown.renderer.rules["link_open"];
      const close = markdown.renderer.rules["link_close"];
      // A link to a file that is no page would lead nowhere on the site: its words stay, as text.
      markdown.renderer.rules["link_open"] = (tokens, index, options, env, self) => {
        if (leadsToAFile(tokens[index]?.attrGet("href") ?? "", env)) return "<span>";
        return open ? open(tokens, index, options, env, self) : self.renderToken(tokens, index, options);
      };
      markdown.renderer.rules["link_close"] = (tokens, index, options, env, self) => {
        let depth = 1;
        let at = index;
        while (depth > 0 && --at >= 0) depth += tokens[at]!.type === "link_close" ? 1 : tokens[at]!.type === "link_open" ? -1 : 0;
        if (leadsToAFile(tokens[at]?.attrGet("href") ?? "", env)) return "</span>";
        return close ? close(tokens, index, options, env, self) : self.renderToken(tokens, index, options);
      };
    },
  },
});

function leadsToAFile(href: string, env: { readonly path?: string }): boolean {
  if (/^([a-z]+:|#|\/)/.test(href) || env.path === undefined) return false;
  const [file = ""] = href.split("#");
  return file !== "" && !file.endsWith(".md") && existsSync(resolve(dirname(env.path), file));
}

function isThere(path: string): boolean {
  return existsSync(join(root, path));
}

function page(path: string): DefaultTheme.SidebarItem {
  return { text: titleOf(path), link: `/${path.replace(/\.md$/, "")}` };
}

function pagesOf(folder: string): DefaultTheme.SidebarItem[] {
  if (!isThere(folder)) return [];
  const files = readdirSync(join(root, folder)).filter((name) => name.endsWith(".md"));
  return files.sort().map((name) => page(`${folder}/${name}`));
}

function examples(): DefaultTheme.SidebarItem[] {
  const folders = readdirSync(join(root, "examples"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders
    .map((entry) => relative(root, join(root, "examples", entry.name, "README.md")))
    .filter(isThere)
    .map(page);
}

function inOrder(items: DefaultTheme.SidebarItem[], order: readonly string[]): DefaultTheme.SidebarItem[] {
  const place = (item: DefaultTheme.SidebarItem): number => {
    const at = order.indexOf(item.link!.split("/").at(-1)!);
    return at === -1 ? order.length : at;
  };
  return items.sort((a, b) => place(a) - place(b));
}

/** The first heading of a page. */
function titleOf(path: string): string {
  return /^#\s+(.+)$/m.exec(readFileSync(join(root, path), "utf8"))?.[1] ?? path;
}
