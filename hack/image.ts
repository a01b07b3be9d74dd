/**
 * Builds the container images without a container engine: `lateen`, the
 * controller, and `lateen-proxy`, which stands beside applications.
 *
 *   npm run image                      both, into .lateen/images
 *   npm run image -- controller        one of them; or proxy
 *   npm run image -- --out FOLDER --tag TAG
 *
 * The same commit gives the same digests. docs/images.md says what is in them,
 * and how to load and to push them.
 */
import { mkdir, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { parseArgs, styleText } from "node:util";
import { buildBundle } from "./image/bundle.ts";
import { controllerRecipe } from "./image/controller-recipe.ts";
import {
	type DebianPackages,
	openDebianPackages,
} from "./image/debian-packages.ts";
import { ensureNode, ensureProxy } from "./image/ensure-program.ts";
import { makeOciImage, timeOf } from "./image/oci-image.ts";
import { provenanceOf } from "./image/provenance.ts";
import { proxyRecipe } from "./image/proxy-recipe.ts";
import type { Recipe } from "./image/recipe.ts";
import { sbomOf } from "./image/sbom.ts";
import { writeImage } from "./image/write-image.ts";
import { MissingPrerequisite } from "./programs/missing-prerequisite.ts";

const ROOT = join(import.meta.dirname, "..");
/** npm runs us in the folder of package.json, wherever it was called. */
const HERE = process.env["INIT_CWD"] ?? process.cwd();
const USAGE =
	"Say which image: controller, proxy or all; with --out FOLDER and --tag TAG.";
const RECIPES: Readonly<
	Record<string, (debian: DebianPackages) => Promise<Recipe>>
> = {
	controller: async (debian) =>
		controllerRecipe(debian, await ensureNode(), await buildBundle()),
	proxy: async (debian) => proxyRecipe(debian, await ensureProxy()),
};

process.exitCode = await main().catch((error: unknown) => {
	if (!(error instanceof MissingPrerequisite)) throw error;
	console.error(`${styleText("red", "✗")} ${error.message}`);
	return 1;
});

async function main(): Promise<number> {
	const { values, positionals } = readArguments();
	const [which = "all", ...rest] = positionals;
	const names = which === "all" ? Object.keys(RECIPES) : [which];
	const recipes = names.flatMap((name) => RECIPES[name] ?? []);
	if (rest.length > 0 || recipes.length !== names.length) {
		throw new MissingPrerequisite(USAGE);
	}
	const provenance = await provenanceOf(ROOT);
	const tag = values.tag ?? provenance.version;
	if (!/^\w[\w.-]{0,127}$/.test(tag)) {
		throw new MissingPrerequisite(
			`${JSON.stringify(tag)} is no tag: letters, digits, "_", "." and "-" only, at most 128, and no "." or "-" first.`,
		);
	}
	const out =
		values.out === undefined
			? join(ROOT, ".lateen/images")
			: resolve(HERE, values.out);
	await mkdir(out, { recursive: true });
	const debian = await openDebianPackages();
	for (const makeRecipe of recipes) {
		const recipe = await makeRecipe(debian);
		const image = await makeOciImage(recipe, provenance);
		const { digest } = image.manifest.descriptor;
		const sbom = sbomOf(recipe, provenance, {
			digest,
			created: timeOf(provenance),
		});
		const written = await writeImage(out, recipe, image, sbom, tag);
		console.log(`${styleText("green", "✓")} ${recipe.name}:${tag}  ${digest}`);
		for (const [index, layer] of recipe.layers.entries()) {
			const packed = image.layers[index]?.descriptor.size ?? 0;
			console.log(
				`    ${layer.name.padEnd(8)} ${megabytes(layer.tree.byteLength())}, compressed ${megabytes(packed)}`,
			);
		}
		const { size } = await stat(written.archive);
		const sum = recipe.layers.reduce((n, l) => n + l.tree.byteLength(), 0);
		console.log(
			`    ${"in all".padEnd(8)} ${megabytes(sum)}, compressed ${megabytes(size)}`,
		);
		for (const path of [written.layout, written.archive, written.sbom]) {
			console.log(`  ${relative(HERE, path)}`);
		}
	}
	return 0;
}

function readArguments() {
	try {
		return parseArgs({
			allowPositionals: true,
			options: { out: { type: "string" }, tag: { type: "string" } },
		});
	} catch {
		throw new MissingPrerequisite(USAGE);
	}
}

function megabytes(bytes: number): string {
	return `${(bytes / 1e6).toFixed(1).padStart(6)} MB`;
}
