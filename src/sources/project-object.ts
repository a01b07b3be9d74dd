/*
 * What is kept of an object from the API server, which sends whole ones: a Pod
 * of 5 KB has 300 bytes that are used.
 */
import { notInjectedAnnotation, type SliceEndpoint } from "../api/core.ts";
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
	const parsed = parseObject(prune(kind, content, interner));
	switch (parsed.kind) {
		case "object":
			return { kind: "object", object: share(parsed.object, interner) };
		case "invalid":
			return parsed;
		case "ignored":
			throw new Error(`${kind} is not a kind that is read`);
	}
}

/** The same object, with one copy of what it has in common with others; `prune` has seen to its texts. */
function share(object: ApiObject, interner: Interner): ApiObject {
	const { labels, annotations } = object.metadata;
	const metadata = {
		...object.metadata,
		labels: interner.json(labels),
		annotations: interner.json(annotations),
	};
	switch (object.kind) {
		case "EndpointSlice":
			return {
				...object,
				metadata,
				ports: interner.json(object.ports),
				endpoints: object.endpoints.map(compact),
			};
		case "Pod":
			return {
				...object,
				metadata,
				ips: object.ips.slice(),
				ports: interner.json(object.ports),
			};
		default:
			return { ...object, metadata };
	}
}

/** A list that was grown has room for more; a copy has not, and endpoints are most of what there is. */
function compact(endpoint: SliceEndpoint): SliceEndpoint {
	return { ...endpoint, addresses: endpoint.addresses.slice() };
}

/** The fields that parsing looks at: copying the rest would take most of the time. */
function prune(kind: Kind, content: Content, interner: Interner): Content {
	const metadata = recordIn(content, "metadata");
	const head = { apiVersion: content["apiVersion"], kind: content["kind"] };
	switch (kind) {
		case "EndpointSlice": {
			const { addressType, endpoints, ports } = content;
			return {
				...head,
				metadata: pruneMetadata(metadata, interner),
				addressType,
				endpoints: pruneEndpoints(endpoints, interner),
				ports,
			};
		}
		case "Pod": {
			const spec = recordIn(content, "spec");
			const { podIP, podIPs } = recordIn(content, "status");
			const { nodeName, serviceAccountName } = spec;
			return {
				...head,
				metadata: {
					...pruneMetadata(metadata, interner),
					deletionTimestamp: metadata["deletionTimestamp"],
					...pruneInjection(metadata, interner),
				},
				spec: {
					nodeName: shared(nodeName, interner),
					serviceAccountName: shared(serviceAccountName, interner),
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
				metadata: pruneMetadata(metadata, interner),
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

function pruneMetadata(metadata: Content, interner: Interner): Content {
	const { name, namespace, uid, labels, creationTimestamp } = metadata;
	const known = shared(namespace, interner);
	return { name, namespace: known, uid, labels, creationTimestamp };
}

/** Of the few pods that injection left as they are, why, and whose they are. */
function pruneInjection(metadata: Content, interner: Interner): Content {
	const because = recordIn(metadata, "annotations")[notInjectedAnnotation];
	if (because === undefined) return {};
	return {
		annotations: { [notInjectedAnnotation]: shared(because, interner) },
		ownerReferences: metadata["ownerReferences"],
	};
}

function pruneEndpoints(endpoints: unknown, interner: Interner): unknown {
	if (!Array.isArray(endpoints)) return endpoints;
	return endpoints.map((endpoint: unknown) => {
		if (!isRecord(endpoint)) return endpoint;
		const { addresses, conditions, nodeName, zone, targetRef } = endpoint;
		return {
			addresses,
			conditions,
			nodeName: shared(nodeName, interner),
			zone: shared(zone, interner),
			targetRef,
		};
	});
}

/** What is no string is for parsing to refuse. */
function shared(value: unknown, interner: Interner): unknown {
	return typeof value === "string" ? interner.text(value) : value;
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
