/*
 * As much of kustomize as the manifests of the repository use, so that
 * `lateen install` prints from the very same files what `kubectl kustomize`
 * prints. A field of a kustomization that is not known here is a failure and
 * never passed over; test/apiserver/install.test.ts compares the results.
 */
import { posix } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { type Json, recordIn, recordsIn, textIn } from "../../injector/json.ts";
import { applyPatch, type PatchStep } from "./apply-patch.ts";
import type { Manifest } from "./manifest.ts";

const known = [
	...["apiVersion", "kind", "resources"],
	...["labels", "images", "replicas", "patches"],
];

/**
 * The objects of a folder with a kustomization, in the order in which they are listed.
 *
 * @param files texts by path
 */
export function kustomize(
	folder: string,
	files: ReadonlyMap<string, string>,
): readonly Manifest[] {
	const kustomization = readKustomization(folder, files);
	const unknown = Object.keys(kustomization).filter(
		(field) => !known.includes(field),
	);
	if (unknown.length > 0)
		throw new Error(`${folder}: ${unknown.join(", ")} is not understood`);
	let objects = listOf<string>(kustomization, "resources").flatMap((entry) => {
		const path = posix.join(folder, entry);
		const text = files.get(path);
		return text === undefined ? kustomize(path, files) : manifestsIn(text);
	});
	for (const patch of recordsIn(kustomization, "patches"))
		objects = objects.map((one) => patched(one, patch, folder));
	for (const replicas of recordsIn(kustomization, "replicas"))
		objects = objects.map((one) => withReplicas(one, replicas));
	for (const labels of recordsIn(kustomization, "labels"))
		objects = objects.map((one) => labelled(one, recordIn(labels, "pairs")));
	for (const image of recordsIn(kustomization, "images"))
		objects = objects.map((one) =>
			withImage(one, textIn(image, "name"), textIn(image, "newTag")),
		);
	return objects;
}

function readKustomization(
	folder: string,
	files: ReadonlyMap<string, string>,
): Json {
	for (const name of ["kustomization.yaml", "Kustomization"]) {
		const text = files.get(posix.join(folder, name));
		if (text !== undefined) return parse(text) as Json;
	}
	throw new Error(`${folder} has no kustomization`);
}

function manifestsIn(text: string): readonly Manifest[] {
	// Kubernetes' YAML has merge keys, which that of today has not.
	return parseAllDocuments(text, { merge: true }).map(
		(document) => document.toJS() as Manifest,
	);
}

function listOf<T>(of: Json, field: string): readonly T[] {
	return (of[field] ?? []) as readonly T[];
}

function patched(object: Manifest, patch: Json, folder: string): Manifest {
	const { kind, name, ...more } = recordIn(patch, "target");
	if (Object.keys(more).length > 0)
		throw new Error(`${folder}: a target is told by kind and name`);
	if (object.kind !== kind || object.metadata.name !== name) return object;
	const steps = parse(textIn(patch, "patch")) as readonly PatchStep[];
	return applyPatch(object, steps) as Manifest;
}

function withReplicas(object: Manifest, { name, count }: Json): Manifest {
	return object.kind === "Deployment" && object.metadata.name === name
		? { ...object, spec: { ...recordIn(object, "spec"), replicas: count } }
		: object;
}

/** Labels on the object and, as `includeTemplates` asks, on the pods that it makes; selectors stay. */
function labelled(object: Manifest, pairs: Json): Manifest {
	const { metadata } = object;
	const whole = {
		...object,
		metadata: { ...metadata, labels: { ...metadata.labels, ...pairs } },
	} as Manifest;
	return inTemplate(whole, (template) => {
		const inner = recordIn(template, "metadata");
		return {
			...template,
			metadata: {
				...inner,
				labels: { ...recordIn(inner, "labels"), ...pairs },
			},
		};
	});
}

function withImage(object: Manifest, name: string, tag: string): Manifest {
	return inTemplate(object, (template) => {
		const spec = recordIn(template, "spec");
		const containers = recordsIn(spec, "containers").map((one) =>
			one["image"] === name ? { ...one, image: `${name}:${tag}` } : one,
		);
		return { ...template, spec: { ...spec, containers } };
	});
}

function inTemplate(
	object: Manifest,
	change: (template: Json) => Json,
): Manifest {
	if (object.kind !== "Deployment") return object;
	const spec = recordIn(object, "spec");
	return {
		...object,
		spec: { ...spec, template: change(recordIn(spec, "template")) },
	};
}
