import type { MeshPreview } from "../../../admission/mesh-preview.ts";
import { refOf } from "../../../api/metadata.ts";
import { compareRefs, objectKey } from "../../../api/object-ref.ts";
import type { ApiObject, Objects } from "../../../api/objects.ts";
import { buildMesh, type MeshBuild } from "../../../mesh/build.ts";

/**
 * Builds, on the side, the mesh that one more object would make.
 *
 * A preview starts from the newest build, so it costs what the one object changes; it is thrown away, and shares with the
 * mesh in force without touching it.
 */
export class PreviewedMesh implements MeshPreview {
	#newest: { readonly objects: Objects; readonly build: MeshBuild } | undefined;

	/** Remembers a build as the newest, with what it was made from, and hands it back. */
	keep<B extends MeshBuild>(objects: Objects, build: B): B {
		this.#newest = { objects, build };
		return build;
	}

	findingsOf(object: ApiObject): ReturnType<MeshPreview["findingsOf"]> {
		if (this.#newest === undefined) return undefined;
		const { objects, build } = this.#newest;
		const { findings } = buildMesh(withObject(objects, object), build);
		// Findings that stay are the same references.
		const before = new Set(build.findings);
		const own = refOf(object);
		return findings
			.map((finding) => {
				const { about, reason, path, message } = finding;
				return { about, reason, path, message, isNew: !before.has(finding) };
			})
			.filter(({ about, isNew }) => isNew || compareRefs(about, own) === 0);
	}
}

function withObject(objects: Objects, object: ApiObject): Objects {
	const kind: ReadonlyMap<string, ApiObject> = objects[object.kind];
	return {
		...objects,
		[object.kind]: new Map(kind).set(objectKey(object.metadata), object),
	};
}
