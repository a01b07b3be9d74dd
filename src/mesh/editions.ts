/*
 * The mesh in more than one edition: proxies of software that refuses an object
 * get the mesh without what they refuse, all others get it as it is.
 *
 *   objects ─────────────▶ buildMesh ─▶ mesh ─▶ everybody else
 *   objects, some older ─▶ buildMesh ─▶ mesh ─▶ proxies of that software
 *                              ▲ the mesh above, so that only what differs is made
 */
import type { ObjectRef } from "../api/object-ref.ts";
import type { Objects } from "../api/objects.ts";
import { sameElements } from "../lib/share.ts";
import { buildMesh, type MeshBuild } from "./build.ts";
import type { Mesh } from "./mesh.ts";

/** An object that takes part in an edition in an older form, or not at all. */
export interface Withheld {
	readonly ref: ObjectRef;
	/** What proxies said to refuse it; none while it is being found out whether they refuse it. */
	readonly rejections: readonly {
		readonly proxy: string;
		readonly message: string;
	}[];
}

/** The objects as proxies of some software are to have them. */
export interface EditionForms {
	/** Stays the same as long as the edition can be seen as the same one. Never empty: that is the edition for all others. */
	readonly id: string;
	/** `envoy 1.40.0`; each in one edition at most. */
	readonly software: ReadonlySet<string>;
	/** `namespace/name` of workloads whose proxies get it whatever their software does. */
	readonly proxies: ReadonlySet<string>;
	readonly objects: Objects;
	readonly withheld: readonly Withheld[];
}

/** The objects for everybody, and for those who get something else. */
export interface MeshForms {
	readonly objects: Objects;
	readonly editions: readonly EditionForms[];
}

/** The mesh as proxies of some software are to have it. */
export interface MeshEdition extends EditionForms {
	readonly mesh: Mesh;
}

/** A mesh and its editions. */
export interface EditionsBuild extends MeshBuild {
	readonly editions: readonly MeshEdition[];
}

/**
 * Builds the mesh and its editions.
 *
 * Guarantees: those of `buildMesh`, for each edition; what is the same in an
 *   edition as in the mesh is the same reference. When nothing differs from
 *   `previous`, its list of editions is handed back.
 */
export function buildEditions(
	{ objects, editions: forms }: MeshForms,
	previous?: EditionsBuild,
): EditionsBuild {
	const build = buildMesh(objects, previous);
	const editions = forms.map((form): MeshEdition => {
		const before = previous?.editions.find(({ id }) => id === form.id);
		const isSame =
			previous?.mesh === build.mesh && before?.objects === form.objects;
		if (before === undefined || !isSame)
			return { ...form, mesh: buildMesh(form.objects, build).mesh };
		const isSaid =
			before.software === form.software &&
			before.proxies === form.proxies &&
			before.withheld === form.withheld;
		return isSaid ? before : { ...form, mesh: before.mesh };
	});
	const before = previous?.editions ?? [];
	return {
		...build,
		editions: sameElements(before, editions) ? before : editions,
	};
}
