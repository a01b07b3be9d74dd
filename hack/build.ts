/**
 * Builds `dist/lateen.js`, the program of the npm package: one file that needs
 * nothing but Node, with a source map so that stack traces name our sources.
 * `dist/kubectl-lateen.js` is the same under the name that kubectl looks for.
 * `hack/build.ts FOLDER` builds into another folder, which it empties first.
 */
import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build, type Plugin } from "esbuild";
import { readManifestFiles } from "../src/cli/install/manifest-files.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = resolve(process.argv[2] ?? join(ROOT, "dist"));
const OUT = join(DIST, "lateen.js");
const PLUGIN = join(DIST, "kubectl-lateen.js");

const LARGE_MODULES =
	/^node:(child_process|crypto|http|http2|https|net|readline|tls)$/;

/**
 * Has Node's larger modules got by `require`, when the first part of the program
 * that uses them runs: a command that talks to nobody then starts without them.
 * An import is got before anything runs, and asks a module for all that it has;
 * `node:http` has Node's own fetch and WebSocket, which nobody here wants.
 */
const BY_REQUIRE: Plugin = {
	name: "by-require",
	setup({ onResolve, onLoad }) {
		const namespace = "by-require";
		onResolve({ filter: LARGE_MODULES }, ({ path, namespace: from }) =>
			from === namespace ? undefined : { path, namespace },
		);
		onLoad({ filter: /./, namespace }, ({ path }) => ({
			contents: `module.exports = require(${JSON.stringify(path)});`,
		}));
	},
};

/** Puts the manifests into the program, which has no repository around it. */
const MANIFESTS: Plugin = {
	name: "manifests",
	setup({ onLoad }) {
		onLoad({ filter: /src.cli.install.manifest-files[.]ts$/ }, () => ({
			contents: `export function readManifestFiles() { return new Map(${JSON.stringify([...readManifestFiles()])}); }`,
		}));
	},
};

await rm(DIST, { recursive: true, force: true });
// esbuild has told what is wrong; a stack of ours would only hide it.
const result = await build({
	// Paths in the program's comments start here, wherever it is built to.
	absWorkingDir: ROOT,
	entryPoints: [join(ROOT, "src/main.ts")],
	outfile: OUT,
	bundle: true,
	platform: "node",
	format: "esm",
	target: "node22.19",
	minifySyntax: true,
	sourcemap: true,
	sourcesContent: false,
	legalComments: "none",
	logLevel: "warning",
	plugins: [BY_REQUIRE, MANIFESTS],
	banner: {
		// Bundled CommonJS packages ask for Node's own modules by require.
		js: 'import { createRequire as lateenCreateRequire } from "node:module";const require = lateenCreateRequire(import.meta.url);',
	},
}).catch(() => undefined);
if (result === undefined) process.exitCode = 1;
else {
	await writeFile(OUT, inAscii(await readFile(OUT, "utf8")));
	await writeFile(PLUGIN, '#!/usr/bin/env node\nimport "./lateen.js";\n');
	for (const program of [OUT, PLUGIN]) await chmod(program, 0o755);
}

/**
 * The program without letters beyond ASCII, which esbuild leaves in regular expressions and comments: a single one, and V8 keeps all of
 * it with two bytes a letter, which are megabytes to make and to read at each start.
 */
function inAscii(program: string): string {
	return program.replace(
		/[^\0-\x7f]/g,
		(letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}
