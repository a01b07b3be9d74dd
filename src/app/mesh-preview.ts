import type { MeshPreview } from "../admission/mesh-preview.ts";
import { refOf } from "../api/metadata.ts";
import { compareRefs, objectKey } from "../api/object-ref.ts";
import type { ApiObject, Objects } from "../api/objects.ts";
import { buildMesh, type MeshBuild } from "../mesh/build.ts";
import type { Finding } from "../mesh/finding.ts";

/**
 * Builds the mesh as the mesh controller asks for it, and on the side the mesh that one more object would make.
 *
 * A preview starts from the newest build, so it costs what the one object changes; it is thrown away, and shares with the
 * mesh in force without touching it.
 */
export class PreviewedMesh implements MeshPreview {
	#newest: { readonly objects: Objects; readonly build: MeshBuild } | undefined;

	/** `buildMesh`, remembered as the newest build: to be what the mesh controller builds with. */
	build(objects: Objects, previous: MeshBuild | undefined): MeshBuild {
		const build = buildMesh(objects, previous);
		this.#newest = { objects, build };
		return build;
	}

	findingsOf(object: ApiObject): ReturnType<MeshPreview["findingsOf"]> {
		if (this.#newest === undefined) return undefined;
		const { objects, build } = this.#newest;
		const { findings } = buildMesh(withObject(objects, object), build);
		// Findings that stay are the same references.
		const before = new Set(build.findings);
		const about = refOf(object);
		return findings
			.map((finding) => ({ ...finding, isNew: !before.has(finding) }))
			.filter(
				(finding) => finding.isNew || compareRefs(finding.about, about) === 0,
			)
			.map(previewed);
	}
}

function withObject(objects: Objects, object: ApiObject): Objects {
	const kind: ReadonlyMap<string, ApiObject> = objects[object.kind];
	return {
		...objects,
		[object.kind]: new Map(kind).set(objectKey(object.metadata), object),
	};
}

function previewed({
	about,
	reason,
	path,
	message,
	isNew,
}: Finding & { readonly isNew: boolean }): {
	readonly about: Finding["about"];
	readonly reason: string;
	readonly path: string;
	readonly message: string;
	readonly isNew: boolean;
} {
	return { about, reason, path, message, isNew };
}
