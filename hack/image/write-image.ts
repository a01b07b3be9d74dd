import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { dockerfileOf } from "./dockerfile.ts";
import { FileTree } from "./file-tree.ts";
import {
	type Blob,
	blob,
	jsonBlob,
	mediaTypes,
	type OciImage,
	platform,
} from "./oci-image.ts";
import type { Recipe } from "./recipe.ts";
import { writeTar } from "./write-tar.ts";

const SBOM_TYPE = "application/spdx+json";

/** Where an image was written to. */
export interface WrittenImage {
	/** An OCI image layout, with the SBOM as a referrer of the image, and a Dockerfile. */
	readonly layout: string;
	/** One file that `docker load`, `ctr images import` and `podman load` take. */
	readonly archive: string;
	/** The SBOM as a file. */
	readonly sbom: string;
}

/**
 * Writes an image below a folder in all its forms, in place of what was there
 * of it. `tag` is the part behind the colon of its name.
 */
export async function writeImage(
	folder: string,
	recipe: Recipe,
	image: OciImage,
	sbom: unknown,
	tag: string,
): Promise<WrittenImage> {
	const stem = join(folder, recipe.name);
	const fresh = `${stem}.${process.pid}`;
	const list = blob(
		SBOM_TYPE,
		Buffer.from(`${JSON.stringify(sbom, null, 2)}\n`),
	);
	const files = layoutOf(recipe, image, list, tag);
	try {
		for (const [path, bytes] of files) {
			await mkdir(dirname(join(fresh, path)), { recursive: true });
			await writeFile(join(fresh, path), bytes);
		}
		await rm(stem, { recursive: true, force: true });
		await rename(fresh, stem);
	} finally {
		await rm(fresh, { recursive: true, force: true });
	}
	await writeFile(`${stem}.tar`, archiveOf(recipe, image, tag));
	await writeFile(`${stem}.spdx.json`, list.bytes);
	return {
		layout: stem,
		archive: `${stem}.tar`,
		sbom: `${stem}.spdx.json`,
	};
}

type Files = ReadonlyMap<string, Buffer | string>;

/** The folder: the image, and the SBOM that points to it (OCI 1.1, referrers). */
function layoutOf(
	recipe: Recipe,
	image: OciImage,
	sbom: Blob,
	tag: string,
): Files {
	const nothing = jsonBlob(mediaTypes.empty, {});
	const referrer = jsonBlob(mediaTypes.manifest, {
		schemaVersion: 2,
		mediaType: mediaTypes.manifest,
		artifactType: SBOM_TYPE,
		config: nothing.descriptor,
		layers: [
			{
				...sbom.descriptor,
				annotations: {
					"org.opencontainers.image.title": `${recipe.name}.spdx.json`,
				},
			},
		],
		subject: image.manifest.descriptor,
	});
	return new Map([
		...commonFiles(recipe, image, tag, [
			{ ...referrer.descriptor, artifactType: SBOM_TYPE },
		]),
		...blobFiles([nothing, sbom, referrer]),
		["Dockerfile", dockerfileOf(recipe, image)],
	]);
}

/**
 * The one file: an OCI layout that is an archive of `docker save`, too. Without
 * the SBOM, which older programs would take for a second image.
 */
function archiveOf(recipe: Recipe, image: OciImage, tag: string): Buffer {
	const tree = new FileTree();
	for (const [path, bytes] of commonFiles(recipe, image, tag, [])) {
		tree.addFile(path, bytes);
	}
	const blobPath = ({ descriptor }: Blob): string => pathOf(descriptor.digest);
	tree.addFile(
		"manifest.json",
		JSON.stringify([
			{
				Config: blobPath(image.config),
				RepoTags: [`${recipe.name}:${tag}`],
				Layers: image.layers.map(blobPath),
			},
		]),
	);
	return writeTar(tree);
}

function commonFiles(
	recipe: Recipe,
	image: OciImage,
	tag: string,
	others: readonly object[],
): Files {
	const index = {
		schemaVersion: 2,
		mediaType: mediaTypes.index,
		manifests: [
			{
				...image.manifest.descriptor,
				platform,
				annotations: {
					"org.opencontainers.image.ref.name": tag,
					// containerd's own: with it the image has the name that Pods ask for.
					"io.containerd.image.name": `docker.io/library/${recipe.name}:${tag}`,
				},
			},
			...others,
		],
	};
	return new Map<string, Buffer | string>([
		["oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" })],
		["index.json", JSON.stringify(index)],
		...blobFiles([image.manifest, image.config, ...image.layers]),
	]);
}

function blobFiles(blobs: readonly Blob[]): Files {
	return new Map(
		blobs.map(({ descriptor, bytes }) => [pathOf(descriptor.digest), bytes]),
	);
}

/** Where a layout has a blob. */
function pathOf(digest: string): string {
	return `blobs/${digest.replace(":", "/")}`;
}
