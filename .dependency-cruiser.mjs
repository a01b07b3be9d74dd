// The layer table of docs/architecture.md as rules. Type-only imports count.

/** Folder of src → the other folders of src it may import. */
const layers = {
	lib: [],
	gen: [],
	api: ["lib", "gen/crd"],
	mesh: ["api", "lib"],
	pki: ["lib"],
	reconcilers: ["api", "mesh", "pki", "lib"],
	injector: ["api", "lib"],
	store: ["api", "lib"],
	net: ["lib", "observability"],
	observability: ["lib"],
	settings: ["lib"],
	kube: ["api", "store", "net", "observability", "lib"],
	sources: ["api", "store", "kube", "net", "observability", "lib"],
	registries: ["api", "store", "net", "observability", "lib"],
	controllers: ["api", "mesh", "reconcilers", "pki", "store", "observability", "lib"],
	xds: ["mesh", "gen/envoy", "lib", "api/object-ref.ts"],
	"xds/server": ["observability"],
	admin: ["api", "mesh", "observability", "lib"],
	admission: ["api", "injector", "store", "observability", "lib"],
	broker: ["api", "mesh", "store", "observability", "lib"],
	ratelimit: ["mesh", "gen/envoy", "observability", "lib"],
	telemetry: ["mesh", "gen/envoy", "observability", "lib"],
	dashboard: ["mesh", "observability", "lib"],
	cli: [
		"api",
		"mesh",
		"pki",
		"injector",
		"reconcilers",
		"store",
		"xds/generate",
		"xds/catalog",
		"xds/explain",
		"xds/[^/]+[.]ts",
		"kube",
		"sources",
		"settings",
		"net",
		"observability",
		"lib",
	],
	app: ["(?!cli/).+"],
};

/** Folders without I/O, clock, randomness, process and timers, and the parts of Node they may use. */
const pure = {
	lib: ["crypto", "util"],
	api: [],
	mesh: [],
	reconcilers: [],
	injector: [],
	"xds/generate": ["crypto", "util"],
	// Of net only what computes: is this an IP address, is it in that subnet.
	"xds/explain": ["net"],
	"xds/protocol": [],
};

/** npm package → the only places that import it (besides tests). */
const homes = {
	"@bufbuild/protobuf": ["src/gen/envoy", "src/xds", "src/ratelimit", "src/telemetry"],
	"@grpc/grpc-js": [],
	"@grpc/grpc-js-xds": [],
	"@marcbachmann/cel-js": ["src/api"],
	ajv: ["src/api", "src/gen/crd"],
	"fast-check": [],
	chai: [],
	mocha: [],
	diff: ["src/cli"],
	picocolors: ["src/cli", "src/observability"],
	pino: ["src/observability"],
	re2js: ["src/api", "src/xds/explain"],
	yaml: ["src/sources", "src/cli", "src/kube"],
};

const isTest = "[.]test[.]ts$";
const anyOf = (parts) => `(${parts.join("|")})`;

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
	forbidden: [
		...Object.entries(layers).map(([folder, allowed]) => {
			const parent = folder.includes("/") ? (layers[folder.split("/")[0]] ?? []) : [];
			const inner = Object.keys(layers).filter((other) => other.startsWith(`${folder}/`));
			const own = folder.includes("/") ? [folder.split("/")[0]] : [folder];
			return {
				name: `layer-${folder.replace("/", "-")}`,
				comment: `src/${folder} may import only from ${[...allowed, ...parent].map((name) => `src/${name}`).join(", ") || "itself"}.`,
				severity: "error",
				from: {
					path: `^src/${folder}/`,
					pathNot: [isTest, ...inner.map((name) => `^src/${name}/`)],
				},
				to: {
					path: "^src/",
					pathNot: `^src/${anyOf([...own, ...allowed, ...parent].map((name) => (name.endsWith("[.]ts") || name.endsWith(".ts") ? `${name}$` : name.endsWith(".+") ? name : `${name}/`)))}`,
				},
			};
		}),
		{
			name: "known-folder",
			comment: "Every folder of src has a row in the layer table; add one to .dependency-cruiser.mjs and docs/architecture.md.",
			severity: "error",
			from: {
				path: "^src/[^/]+/",
				pathNot: `^src/${anyOf(Object.keys(layers))}/`,
			},
			to: {},
		},
		{
			name: "main-only",
			comment: "src/main.ts calls app and cli and reads settings; nothing else.",
			severity: "error",
			from: { path: "^src/main[.]ts$" },
			to: { path: "^src/", pathNot: "^src/(app|cli|settings|lib)/" },
		},
		{
			name: "nobody-imports-main",
			severity: "error",
			comment: "Nothing imports src/main.ts, and only main imports src/app.",
			from: { path: "^src/", pathNot: [isTest, "^src/(app/|main[.]ts$)"] },
			to: { path: "^src/(app/|main[.]ts$)" },
		},
		{
			name: "gen-crd-home",
			comment: "src/gen/crd is imported by src/api only, src/gen/envoy by xds, ratelimit and telemetry.",
			severity: "error",
			from: { path: "^src/", pathNot: [isTest, "^src/(api|gen)/"] },
			to: { path: "^src/gen/crd/" },
		},
		...Object.entries(pure).map(([folder, builtins]) => ({
			name: `pure-${folder.replace("/", "-")}`,
			comment: `src/${folder} is part of the pure core: of Node it may use ${builtins.map((name) => `node:${name}`).join(" and ") || "nothing"}. Pass the value in instead.`,
			severity: "error",
			from: { path: `^src/${folder}/`, pathNot: isTest },
			to: {
				dependencyTypes: ["core"],
				...(builtins.length === 0 ? {} : { pathNot: `^(node:)?${anyOf(builtins)}$` }),
			},
		})),
		...Object.entries(homes).map(([name, places]) => ({
			name: `home-${name.replaceAll(/[@/]/g, "-").replace(/^-/, "")}`,
			comment: `The package ${name} is imported ${places.length === 0 ? "by tests only" : `in ${places.join(" and ")} only`}.`,
			severity: "error",
			from: {
				path: "^src/",
				pathNot: [isTest, ...places.map((place) => `^${place}/`)],
			},
			to: { path: `(^|/)node_modules/${name}/` },
		})),
		{
			name: "known-package",
			comment: "A package used in src has a home in .dependency-cruiser.mjs and a line in docs/dependencies.md.",
			severity: "error",
			from: { path: "^src/" },
			to: {
				path: "(^|/)node_modules/",
				pathNot: `(^|/)node_modules/${anyOf([...Object.keys(homes), "@types/node", "@types/mocha", "@types/chai"])}/`,
			},
		},
		{
			name: "src-stands-alone",
			comment: "src imports nothing of the repository but src; tests may import test/testkit.",
			severity: "error",
			from: { path: "^src/", pathNot: isTest },
			to: { path: "^(test|hack|bench|samples)/" },
		},
		{
			name: "tests-use-testkit",
			comment: "A test beside its source may import test/testkit and hack/ensure-envoy.ts, and nothing else outside src.",
			severity: "error",
			from: { path: `^src/.*${isTest}` },
			to: { path: "^(test|hack|bench|samples)/", pathNot: "^(test/testkit/|hack/ensure-envoy[.]ts$)" },
		},
		{
			name: "no-test-imported",
			comment: "A test file is imported by nobody; what tests share is in test/testkit.",
			severity: "error",
			from: {},
			to: { path: isTest },
		},
		{
			name: "no-cycle",
			comment: "Cut the circle: move what both need into a file of its own.",
			severity: "error",
			from: { pathNot: "^src/gen/" },
			to: { circular: true },
		},
		{
			name: "resolvable",
			comment: "The import leads nowhere.",
			severity: "error",
			from: {},
			to: { couldNotResolve: true },
		},
	],
	options: {
		doNotFollow: { path: ["node_modules", "^src/gen/"] },
		tsPreCompilationDeps: true,
		tsConfig: { fileName: "tsconfig.json" },
		enhancedResolveOptions: {
			exportsFields: ["exports"],
			conditionNames: ["import", "types", "node", "default"],
			extensions: [".ts", ".d.ts", ".mjs", ".js", ".json"],
		},
	},
};
