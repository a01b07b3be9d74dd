import {
	fieldOf,
	type Json,
	recordIn,
	withField,
} from "../../injector/json.ts";
import { jsonPatch } from "../../injector/json-patch.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { objectPath } from "../../kube/resources.ts";
import { findObject } from "./find-object.ts";
import { type Manifest, printManifestName } from "./manifest.ts";
import type { ApiServer } from "./open-api-server.ts";
import { resourceOf } from "./resource-of.ts";

/** What applying one object would do. */
export interface Trial {
	/** `Deployment lateen-system/lateen`. */
	readonly object: string;
	readonly would: "create" | "change" | "nothing" | "refused";
	/** What would change, field by field; why it is refused; or why a new one could not be tried. */
	readonly details: readonly string[];
}

/** The field manager of `kubectl apply --server-side`. */
const manager = "kubectl";

/**
 * Has the API server apply objects without storing anything.
 *
 * Fails when: the API server cannot be reached.
 */
export async function tryApply(
	objects: readonly Manifest[],
	server: ApiServer,
): Promise<readonly Trial[]> {
	const missing = new Set<string>();
	const trials: Trial[] = [];
	for (const object of objects) {
		const trial = await tryOne(object, server, missing);
		trials.push(trial);
		if (trial.would !== "create") continue;
		if (object.kind === "Namespace") missing.add(object.metadata.name);
		if (object.kind === "CustomResourceDefinition")
			missing.add(String(recordIn(recordIn(object, "spec"), "names")["kind"]));
	}
	return trials;
}

async function tryOne(
	object: Manifest,
	server: ApiServer,
	missing: ReadonlySet<string>,
): Promise<Trial> {
	const { kind, metadata } = object;
	const { name, namespace = "" } = metadata;
	const named = { object: printManifestName(object) };
	for (const need of [namespace, kind])
		if (missing.has(need))
			return {
				...named,
				would: "create",
				details: [`not tried, as ${need} is not there yet`],
			};
	const resource = resourceOf(object);
	const at = { namespace, name };
	try {
		const before = await findObject(server.client, resource, at);
		const after = await server.tryWrite(
			{
				method: "PATCH",
				path: objectPath(resource, at),
				query: { fieldManager: manager, force: "true" },
				contentType: "application/apply-patch+yaml",
				body: JSON.stringify(object),
			},
			{ verb: "patch", resource, ...at },
		);
		if (before === undefined) return { ...named, would: "create", details: [] };
		const details = changes(before, after);
		return {
			...named,
			would: details.length === 0 ? "nothing" : "change",
			details,
		};
	} catch (error) {
		if (!(error instanceof KubeError) || error.status === undefined)
			throw error;
		return { ...named, would: "refused", details: [error.message] };
	}
}

/** What of an object its owner sees change. */
function changes(before: Json, after: Json): readonly string[] {
	return jsonPatch(owned(before), owned(after)).map((operation) => {
		const path = operation.path.slice(1).replaceAll("/", ".");
		const now = fieldOf(operation, "value");
		return operation.op === "remove"
			? `${path} goes`
			: `${path}: ${shortened(now)}`;
	});
}

function owned(object: Json): Json {
	const { status: _, ...rest } = object;
	let metadata = recordIn(rest, "metadata");
	for (const field of ["managedFields", "resourceVersion", "generation"])
		metadata = withField(metadata, field, undefined);
	return { ...rest, metadata };
}

function shortened(value: unknown): string {
	const text = JSON.stringify(value) ?? "";
	return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
