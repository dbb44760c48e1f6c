// plugin shape: what ESLint asks of a plugin, as far as we give it. Written out, so that whoever reads our types needs no other package.

/** A rule, as ESLint runs it. */
export interface PluginRule {
  readonly meta: {
    readonly type: "problem";
    readonly docs: { readonly description: string; readonly url: string; readonly recommended: boolean };
    readonly messages: Record<string, string>;
    readonly schema: object[];
    readonly fixable?: "code";
    readonly hasSuggestions?: boolean;
    readonly defaultOptions?: object[];
  };
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each tool has its own type of a rule's context, and all of them fit
  create(context: any): Record<string, (node: any) => void>;
}

/** One entry of a flat configuration. */
export interface PluginConfig {
  readonly name: string;
  readonly plugins: Record<string, OstinatoPlugin>;
  readonly rules: Record<string, "error" | "warn">;
}

/**
 * The plugin.
 *
 * @example
 * // eslint.config.js
 * import ostinato from "eslint-plugin-ostinato";
 * export default [ostinato.configs.recommended];
 */
export interface OstinatoPlugin {
  readonly meta: { readonly name: string; readonly version: string };
  readonly rules: Record<string, PluginRule>;
  readonly configs: { readonly recommended: PluginConfig };
}
