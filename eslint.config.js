// What the compiler does not see. The map of rooms, bans and names are scripts/tidy.ts's; layout is Prettier's.
import ostinato from "eslint-plugin-ostinato";
import tseslint from "typescript-eslint";

/** node:test's own calls return promises that the runner awaits. */
const testCalls = {
  from: "package",
  package: "node:test",
  name: ["test", "it", "describe", "suite", "before", "after", "beforeEach", "afterEach"],
};

export default tseslint.config(
  // The site's configuration is read by its generator, which is installed on its own.
  { ignores: ["**/node_modules/", "**/dist/", "**/coverage/", "docs/.vitepress/", "packages/grpc/src/generated/"] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-restricted-syntax": [
        "error",
        {
          selector: "ClassDeclaration[superClass]:not([superClass.name=/Error$/])",
          message: "No inheritance except from Error: pass a function or a value.",
        },
      ],
      "@typescript-eslint/no-explicit-any": "error",
      // `!` says what the line before has made sure of; the compiler asks for it at each index (noUncheckedIndexedAccess).
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [testCalls] }],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports" }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-unnecessary-boolean-literal-compare": "error",
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none", ignoreRestSiblings: true },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      // A method of a seam is async because of its other bodies; an orchestrator because that is its form.
      "@typescript-eslint/require-await": "off",
      // `void` and `undefined` outputs are words of the authoring types.
      "@typescript-eslint/no-invalid-void-type": "off",
    },
  },
  {
    // What people copy from is held to what we ask of them. The blocks of pages are scripts/doc-check.ts's.
    files: ["examples/**/*.ts", "bench/**/*.ts"],
    extends: [ostinato.configs.recommended],
  },
  {
    // Kinds of nodes are names in every parser; the enum in which one of them declares its own would be a dependency.
    files: ["packages/eslint-plugin/**/*.ts"],
    rules: { "@typescript-eslint/no-unsafe-enum-comparison": "off" },
  },
  {
    // A program that people read shows the whole signature, used or not; a test may know what the compiler does not.
    files: ["examples/**/*.ts", "**/*.test.ts", "bench/**/*.ts"],
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { args: "none", varsIgnorePattern: "^_", caughtErrors: "none" }],
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
);
