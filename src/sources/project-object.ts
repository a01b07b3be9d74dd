/*
 * What is kept of an object from the API server, which sends whole ones: a Pod
 * of 5 KB has 300 bytes that are used.
 */
import { isRecord } from "../api/fields.ts";
import type { ApiObject, InvalidObject, Kind } from "../api/objects.ts";
import { parseObject } from "../api/parse-object.ts";
import type { Interner } from "./intern.ts";

/** An object that is used, or why it is not. */
export type Projected =
	| { readonly kind: "object"; readonly object: ApiObject }
	| { readonly kind: "invalid"; readonly invalid: InvalidObject };

type Content = Readonly<Record<string, unknown>>;

/** Annotations of the kinds that people write for us are shown to them again; this one is a copy of the object. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/**
 * Parses an object of a kind that is read, and drops what is not used.
 *
 * Guarantees: never throws; nothing of `content` that is not used stays in memory.
 */
export function projectObject(
	kind: Kind,
	content: Content,
	interner: Interner,
): Projected {
	const parsed = parseObject(prune(kind, content));
	switch (parsed.kind) {
		case "object":
			return { kind: "object", object: interner.intern(parsed.object) };
		case "invalid":
			return parsed;
		case "ignored":
			throw new Error(`${kind} is not a kind that is read`);
	}
}

/** The fields that parsing looks at: copying the rest would take most of the time. */
function prune(kind: Kind, content: Content): Content {
	const metadata = recordIn(content, "metadata");
	const head = { apiVersion: content["apiVersion"], kind: content["kind"] };
	switch (kind) {
		case "EndpointSlice": {
			const { addressType, endpoints, ports } = content;
			const named = { ...head, metadata: withoutAnnotations(metadata) };
			return { ...named, addressType, endpoints, ports };
		}
		case "Pod": {
			const spec = recordIn(content, "spec");
			const { podIP, podIPs } = recordIn(content, "status");
			const { nodeName, serviceAccountName } = spec;
			return {
				...head,
				metadata: withoutAnnotations(metadata),
				spec: {
					nodeName,
					serviceAccountName,
					containers: pruneContainers(spec["containers"]),
					initContainers: pruneContainers(spec["initContainers"]),
				},
				status: { podIP, podIPs },
			};
		}
		case "Service":
		case "Namespace":
		case "Node":
		case "ServiceAccount":
			return {
				...head,
				metadata: withoutAnnotations(metadata),
				spec: content["spec"],
			};
		case "ExternalService":
		case "Mesh":
		case "RouteRule": {
			const { managedFields: _, ...kept } = metadata;
			const { [LAST_APPLIED]: __, ...annotations } = recordIn(
				metadata,
				"annotations",
			);
			const { status: ___, ...rest } = content;
			return { ...rest, metadata: { ...kept, annotations } };
		}
	}
}

function withoutAnnotations(metadata: Content): Content {
	const { name, namespace, uid, labels, creationTimestamp } = metadata;
	return { name, namespace, uid, labels, creationTimestamp };
}

function pruneContainers(containers: unknown): unknown {
	if (!Array.isArray(containers)) return containers;
	return containers.map((container: unknown) => {
		if (!isRecord(container)) return container;
		const { ports, restartPolicy } = container;
		return { ports, restartPolicy };
	});
}

function recordIn(value: Content, name: string): Content {
	const found = value[name];
	return isRecord(found) ? found : {};
}
