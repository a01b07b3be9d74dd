import { meshKinds } from "../../api/mesh-kinds.ts";
import { objectKey } from "../../api/object-ref.ts";
import type { ApiObject, Kind, Objects } from "../../api/objects.ts";
import type { ObjectClient } from "../../kube/object-client.ts";
import { apiVersionOf, resources } from "../../kube/resources.ts";
import { createInterner } from "../../sources/intern.ts";
import { projectObject } from "../../sources/project-object.ts";
import { emptyObjects } from "../../store/empty-objects.ts";

/** Every good object of the API server that a mesh is made of. */
export async function clusterObjects(client: ObjectClient): Promise<Objects> {
	const lists = await Promise.all(
		meshKinds.map(
			async (kind) => [kind, await objectsOf(kind, client)] as const,
		),
	);
	return { ...emptyObjects(), ...Object.fromEntries(lists) };
}

async function objectsOf(
	kind: Kind,
	client: ObjectClient,
): Promise<ReadonlyMap<string, ApiObject>> {
	const interner = createInterner();
	const found = new Map<string, ApiObject>();
	const { apiVersion, resource } = typeOf(kind);
	for await (const { content } of client.listAll(resource)) {
		// Items of a list come without them.
		const projected = projectObject(
			kind,
			{ ...content, apiVersion, kind },
			interner,
		);
		if (projected.kind === "object")
			found.set(objectKey(projected.object.metadata), projected.object);
	}
	return found;
}

function typeOf(kind: Kind) {
	const resource = resources[kind];
	return { resource, apiVersion: apiVersionOf(resource) };
}
