import { promisify } from "node:util";
import { gzip as gzipCallback } from "node:zlib";
import { architecture } from "./pins.ts";
import type { Provenance, Recipe } from "./recipe.ts";
import { licenceOf } from "./sbom.ts";
import { sha256 } from "./sha256.ts";
import { writeTar } from "./write-tar.ts";

const gzip = promisify(gzipCallback);

/** Something that is found by its own checksum. */
export interface Blob {
	readonly descriptor: Descriptor;
	readonly bytes: Buffer;
}

/** OCI's way of pointing to a blob. */
export interface Descriptor {
	readonly mediaType: string;
	/** `sha256:` and the checksum in hexadecimal. */
	readonly digest: string;
	/** In bytes. */
	readonly size: number;
}

/** An image as registries keep it. */
export interface OciImage {
	readonly manifest: Blob;
	readonly config: Blob;
	/** The lowest first. */
	readonly layers: readonly Blob[];
	/** What is told about the image, by the keys that OCI gives. */
	readonly labels: Readonly<Record<string, string>>;
}

/** The media types of OCI that images consist of. */
export const mediaTypes = {
	index: "application/vnd.oci.image.index.v1+json",
	manifest: "application/vnd.oci.image.manifest.v1+json",
	config: "application/vnd.oci.image.config.v1+json",
	layer: "application/vnd.oci.image.layer.v1.tar+gzip",
	empty: "application/vnd.oci.empty.v1+json",
} as const;

/** What the images run on, in OCI's words. */
export const platform = { architecture, os: "linux" } as const;

/** Makes an image (OCI image format 1.1). The same recipe and provenance give the same bytes. */
export async function makeOciImage(
	recipe: Recipe,
	provenance: Provenance,
): Promise<OciImage> {
	const tars = recipe.layers.map(({ tree }) => writeTar(tree));
	const layers = await Promise.all(
		tars.map(async (tar) => blob(mediaTypes.layer, await compress(tar))),
	);
	const labels = labelsOf(recipe, provenance);
	const created = timeOf(provenance);
	const config = jsonBlob(mediaTypes.config, {
		created,
		...platform,
		config: {
			User: `${recipe.user.id}:${recipe.user.id}`,
			Env: Object.entries(recipe.environment).map(
				([name, value]) => `${name}=${value}`,
			),
			Entrypoint: recipe.entrypoint,
			WorkingDir: "/",
			Labels: labels,
		},
		rootfs: {
			type: "layers",
			diff_ids: tars.map((tar) => `sha256:${sha256(tar)}`),
		},
		history: recipe.layers.map(({ name }) => ({
			created,
			created_by: `hack/image: ${name}`,
		})),
	});
	const manifest = jsonBlob(mediaTypes.manifest, {
		schemaVersion: 2,
		mediaType: mediaTypes.manifest,
		config: config.descriptor,
		layers: layers.map(({ descriptor }) => descriptor),
		annotations: labels,
	});
	return { manifest, config, layers, labels };
}

/** Bytes as a blob of a media type. */
export function blob(mediaType: string, bytes: Buffer): Blob {
	const digest = `sha256:${sha256(bytes)}`;
	return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

/** A value as a blob of JSON. */
export function jsonBlob(mediaType: string, value: unknown): Blob {
	return blob(mediaType, Buffer.from(JSON.stringify(value)));
}

/** When the sources of an image were as they are, in RFC 3339. */
export function timeOf({ createdSeconds }: Provenance): string {
	return new Date(createdSeconds * 1000).toISOString().replace(".000Z", "Z");
}

async function compress(tar: Buffer): Promise<Buffer> {
	const compressed = await gzip(tar, { level: 6 });
	// Whose system it was compressed on is nobody's business (RFC 1952, OS: unknown).
	compressed[9] = 255;
	return compressed;
}

function labelsOf(
	recipe: Recipe,
	provenance: Provenance,
): Readonly<Record<string, string>> {
	const { version, revision } = provenance;
	const key = (name: string): string => `org.opencontainers.image.${name}`;
	return {
		[key("title")]: recipe.title,
		[key("description")]: recipe.description,
		[key("version")]: version,
		...(revision !== undefined && { [key("revision")]: revision }),
		[key("created")]: timeOf(provenance),
		[key("licenses")]: licenceOf(recipe),
	};
}
