// What Biome cannot see: rules that need types, and the globals that the pure core must not touch.
import tseslint from "typescript-eslint";

const pureCore = [
	"src/api/**/*.ts",
	"src/lib/**/*.ts",
	"src/mesh/**/*.ts",
	"src/reconcilers/**/*.ts",
	"src/injector/**/*.ts",
	"src/xds/generate/**/*.ts",
	"src/xds/protocol/**/*.ts",
];

const impureGlobals = [
	"process",
	"performance",
	"fetch",
	"console",
	"setTimeout",
	"setInterval",
	"setImmediate",
	"queueMicrotask",
];

export default [
	{ ignores: ["src/gen/", "dist/"] },
	{
		files: ["{src,test,hack,bench,samples}/**/*.ts"],
		languageOptions: {
			parser: tseslint.parser,
			parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
		},
		plugins: { "@typescript-eslint": tseslint.plugin },
		linterOptions: { reportUnusedDisableDirectives: "error" },
		rules: {
			"@typescript-eslint/no-floating-promises": "error",
			"@typescript-eslint/no-misused-promises": "error",
			"@typescript-eslint/switch-exhaustiveness-check": [
				"error",
				{ considerDefaultExhaustiveForUnions: true },
			],
		},
	},
	{
		files: pureCore,
		ignores: ["**/*.test.ts"],
		rules: {
			"no-restricted-globals": [
				"error",
				...impureGlobals.map((name) => ({
					name,
					message: "This folder is part of the pure core: pass the value in.",
				})),
			],
			"no-restricted-properties": [
				"error",
				...[
					["Date", "now"],
					["Math", "random"],
				].map(([object, property]) => ({
					object,
					property,
					message: "This folder is part of the pure core: pass the value in.",
				})),
			],
		},
	},
	{
		// The clock and what is driven by it live here, behind an interface.
		files: ["src/lib/system-clock.ts", "src/lib/supervise.ts"],
		rules: { "no-restricted-globals": "off", "no-restricted-properties": "off" },
	},
];
