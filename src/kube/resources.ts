/** Where the objects of a kind are found on an API server. */
export interface KubeResource {
	/** Empty for the core group. */
	readonly group: string;
	readonly version: string;
	/** Lower case, as in paths and in roles. */
	readonly plural: string;
	readonly kind: string;
	readonly isNamespaced: boolean;
}

const ours = { group: "lateen.dev", version: "v1alpha1" } as const;
const core = { group: "", version: "v1" } as const;

/** Every kind that is read from, or written to, an API server. */
export const resources = {
	ConfigMap: {
		...core,
		plural: "configmaps",
		kind: "ConfigMap",
		isNamespaced: true,
	},
	CustomResourceDefinition: {
		group: "apiextensions.k8s.io",
		version: "v1",
		plural: "customresourcedefinitions",
		kind: "CustomResourceDefinition",
		isNamespaced: false,
	},
	EndpointSlice: {
		group: "discovery.k8s.io",
		version: "v1",
		plural: "endpointslices",
		kind: "EndpointSlice",
		isNamespaced: true,
	},
	Event: {
		group: "events.k8s.io",
		version: "v1",
		plural: "events",
		kind: "Event",
		isNamespaced: true,
	},
	ExternalService: {
		...ours,
		plural: "externalservices",
		kind: "ExternalService",
		isNamespaced: true,
	},
	LastGood: {
		...ours,
		plural: "lastgoods",
		kind: "LastGood",
		isNamespaced: true,
	},
	Lease: {
		group: "coordination.k8s.io",
		version: "v1",
		plural: "leases",
		kind: "Lease",
		isNamespaced: true,
	},
	Mesh: { ...ours, plural: "meshes", kind: "Mesh", isNamespaced: false },
	MutatingWebhookConfiguration: {
		group: "admissionregistration.k8s.io",
		version: "v1",
		plural: "mutatingwebhookconfigurations",
		kind: "MutatingWebhookConfiguration",
		isNamespaced: false,
	},
	Namespace: {
		...core,
		plural: "namespaces",
		kind: "Namespace",
		isNamespaced: false,
	},
	Node: { ...core, plural: "nodes", kind: "Node", isNamespaced: false },
	Pod: { ...core, plural: "pods", kind: "Pod", isNamespaced: true },
	ProxyReport: {
		...ours,
		plural: "proxyreports",
		kind: "ProxyReport",
		isNamespaced: true,
	},
	RouteRule: {
		...ours,
		plural: "routerules",
		kind: "RouteRule",
		isNamespaced: true,
	},
	Secret: { ...core, plural: "secrets", kind: "Secret", isNamespaced: true },
	Service: { ...core, plural: "services", kind: "Service", isNamespaced: true },
	ServiceAccount: {
		...core,
		plural: "serviceaccounts",
		kind: "ServiceAccount",
		isNamespaced: true,
	},
	TokenReview: {
		group: "authentication.k8s.io",
		version: "v1",
		plural: "tokenreviews",
		kind: "TokenReview",
		isNamespaced: false,
	},
	ValidatingWebhookConfiguration: {
		group: "admissionregistration.k8s.io",
		version: "v1",
		plural: "validatingwebhookconfigurations",
		kind: "ValidatingWebhookConfiguration",
		isNamespaced: false,
	},
} as const satisfies Readonly<Record<string, KubeResource>>;

/** The resource of a kind that is known by its name alone; undefined for a kind that is not in the table. */
export function resourceOfKind(kind: string): KubeResource | undefined {
	return Object.values(resources).find((one) => one.kind === kind);
}

/** `lateen.dev/v1alpha1`, or `v1` for the core group. */
export function apiVersionOf({ group, version }: KubeResource): string {
	return group === "" ? version : `${group}/${version}`;
}

/**
 * The path of a kind's objects: of one namespace, or of all when that is empty or the kind has none.
 */
export function collectionPath(resource: KubeResource, namespace = ""): string {
	const { group, version, plural, isNamespaced } = resource;
	const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
	return isNamespaced && namespace !== ""
		? `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`
		: `${root}/${plural}`;
}

/** The path of one object, or of a part of it such as `status`. */
export function objectPath(
	resource: KubeResource,
	at: { readonly namespace: string; readonly name: string },
	subresource?: string,
): string {
	const path = `${collectionPath(resource, at.namespace)}/${encodeURIComponent(at.name)}`;
	return subresource === undefined ? path : `${path}/${subresource}`;
}
