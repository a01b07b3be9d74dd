import { isRecord } from "../api/fields.ts";
import type { Violation } from "../api/violation.ts";
import type { InjectionContext } from "./context.ts";
import { type Injection, inject } from "./inject.ts";
import { fieldOf, type Json, recordIn, textIn, withField } from "./json.ts";
import type { Skip } from "./skip-reason.ts";

/** What became of one pod or pod template in a manifest. */
export interface ManifestNote {
	/** `Deployment shop/web`. */
	readonly about: string;
	readonly outcome:
		| { readonly kind: "injected" }
		| { readonly kind: "skipped"; readonly skip: Skip }
		| { readonly kind: "refused"; readonly violations: readonly Violation[] };
}

/** A manifest with proxies in its pods. */
export interface InjectedManifest {
	/** The very same object when nothing in it is a pod or has pods. */
	readonly object: Json;
	readonly notes: readonly ManifestNote[];
}

/** Where the pod template of a kind is. */
const templates: Readonly<Record<string, readonly string[]>> = {
	Pod: [],
	PodTemplate: ["template"],
	CronJob: ["spec", "jobTemplate", "spec", "template"],
	DaemonSet: ["spec", "template"],
	Deployment: ["spec", "template"],
	Job: ["spec", "template"],
	ReplicaSet: ["spec", "template"],
	ReplicationController: ["spec", "template"],
	StatefulSet: ["spec", "template"],
};

const groups = /^(v1|apps\/v1|batch\/v1|batch\/v1beta1)$/;

/** What holds for all pods of some manifests. */
export interface ManifestContext extends Omit<InjectionContext, "namespace"> {
	/** Of objects that name none. */
	readonly defaultNamespace: string;
}

/** Injects the pods of an object: of a Pod, of whatever has a pod template, of each item of a List. */
export function injectManifest(
	object: Json,
	context: ManifestContext,
): InjectedManifest {
	const kind = textIn(object, "kind");
	const items = fieldOf(object, "items");
	if (kind.endsWith("List") && Array.isArray(items)) {
		const results = items.map((item: unknown) =>
			isRecord(item)
				? injectManifest(item, context)
				: { object: item, notes: [] },
		);
		return results.every((one, index) => one.object === items[index])
			? { object, notes: results.flatMap(({ notes }) => notes) }
			: {
					object: { ...object, items: results.map((one) => one.object) },
					notes: results.flatMap(({ notes }) => notes),
				};
	}
	const path = Object.hasOwn(templates, kind) ? templates[kind] : undefined;
	if (path === undefined || !groups.test(textIn(object, "apiVersion")))
		return { object, notes: [] };
	const pod = path.reduce<Json>(recordIn, object);
	const metadata = recordIn(object, "metadata");
	const namespace = textIn(metadata, "namespace") || context.defaultNamespace;
	const result = inject(pod, { ...context, namespace });
	const name = textIn(metadata, "name") || textIn(metadata, "generateName");
	return {
		object:
			result.kind === "refused" ? object : replaced(object, path, result.pod),
		notes: [
			{ about: `${kind} ${namespace}/${name}`, outcome: outcomeOf(result) },
		],
	};
}

function outcomeOf(result: Injection): ManifestNote["outcome"] {
	switch (result.kind) {
		case "injected":
			return { kind: "injected" };
		case "skipped":
			return { kind: "skipped", skip: result.skip };
		case "refused":
			return result;
	}
}

function replaced(object: Json, path: readonly string[], value: Json): Json {
	const [first, ...rest] = path;
	if (first === undefined) return value;
	return withField(
		object,
		first,
		replaced(recordIn(object, first), rest, value),
	);
}
