import type {
	EndpointSlice,
	Node,
	Pod,
	Service as ServiceObject,
	SliceEndpoint,
} from "../api/core.ts";
import type { ExternalService } from "../api/external-service.ts";
import { refOf } from "../api/metadata.ts";
import { compareText, objectKey, printRef } from "../api/object-ref.ts";
import type { Objects } from "../api/objects.ts";
import { memoByInput } from "../lib/memo.ts";
import { sameElements, shareList } from "../lib/share.ts";
import { looksLikeIp } from "./draft-external-service.ts";
import type { Endpoint, Locality } from "./endpoint.ts";
import type { Finding } from "./finding.ts";
import { localityOfNode, nowhere, parseLocality } from "./locality.ts";
import { findService, type Registry } from "./registry.ts";
import type { Hostname, Service } from "./service.ts";
import type { SlicesPart } from "./slices.ts";
import { changedKeys, patchSorted } from "./sorted-map.ts";

/** The endpoints of all services and what the next build shares with them. */
export interface EndpointsPart {
	readonly inputs: EndpointInputs;
	readonly endpoints: ReadonlyMap<Hostname, readonly Endpoint[]>;
	/** How each service's endpoints came about. */
	readonly records: ReadonlyMap<Hostname, EndpointRecord>;
	/** Slices whose Service does not exist, by the Service's key. */
	readonly strays: ReadonlyMap<string, readonly Finding[]>;
	readonly findings: readonly Finding[];
}

/** What endpoints are made from. */
export interface EndpointInputs {
	readonly registry: Registry;
	readonly slices: SlicesPart;
	readonly objects: Pick<
		Objects,
		"ExternalService" | "Node" | "Pod" | "Service"
	>;
}

/** The endpoints of one service, with every object that they depend on. */
export interface EndpointRecord {
	readonly service: Service;
	readonly object: ServiceObject | ExternalService | undefined;
	readonly slices: readonly EndpointSlice[];
	/** Pods and Nodes, in the order in which the endpoints name them. */
	readonly placed: readonly (Pod | Node | undefined)[];
	readonly endpoints: readonly Endpoint[];
}

/**
 * The endpoints of every service.
 *
 * Labels come from the Pod (the one that the slice names, else the only one of
 * its namespace with that address), so that versions are told apart; an endpoint
 * without a Pod has the slice's own labels except Kubernetes' (`kubernetes.io/…`),
 * so that VMs and slices written by hand can have versions too. A Pod that is
 * told to go, or is gone, takes its endpoint along, whatever its slice says still.
 */
export function buildEndpoints(
	inputs: EndpointInputs,
	previous: EndpointsPart | undefined,
): EndpointsPart {
	const before = previous?.inputs;
	const { registry, slices, objects } = inputs;
	if (
		previous !== undefined &&
		before?.registry.services === registry.services &&
		before.slices.byService === slices.byService &&
		before.objects.ExternalService === objects.ExternalService &&
		before.objects.Node === objects.Node &&
		before.objects.Pod === objects.Pod &&
		before.objects.Service === objects.Service
	) {
		return previous;
	}
	const suspects = suspectHostnames(inputs, before);
	const records = new Map<Hostname, EndpointRecord | undefined>();
	const endpoints = new Map<Hostname, readonly Endpoint[] | undefined>();
	for (const hostname of suspects) {
		const record = buildRecord(
			hostname,
			inputs,
			previous?.records.get(hostname),
		);
		records.set(hostname, record);
		endpoints.set(
			hostname,
			record === undefined || record.endpoints.length === 0
				? undefined
				: record.endpoints,
		);
	}
	const strays = buildStrays(inputs, previous);
	return {
		inputs,
		endpoints: patchSorted(
			previous?.endpoints ?? new Map<Hostname, readonly Endpoint[]>(),
			endpoints,
		),
		records: patchSorted(
			previous?.records ?? new Map<Hostname, EndpointRecord>(),
			records,
		),
		strays,
		findings:
			previous !== undefined && previous.strays === strays
				? previous.findings
				: [...strays.values()].flat(),
	};
}

/** Hostnames of which anything that endpoints are made from may have changed. */
function suspectHostnames(
	inputs: EndpointInputs,
	before: EndpointInputs | undefined,
): ReadonlySet<Hostname> {
	const { registry, slices, objects } = inputs;
	const suspects = new Set<Hostname>(
		changedKeys(before?.registry.services, registry.services),
	);
	if (before === undefined) return suspects;
	// Nodes change seldom, and any Pod may be on any Node.
	if (before.objects.Node !== objects.Node) {
		for (const hostname of registry.services.keys()) suspects.add(hostname);
		return suspects;
	}
	const services = new Set([
		...changedKeys(before.slices.byService, slices.byService),
		...changedKeys(before.objects.Service, objects.Service),
		...servicesOfPods(inputs, before),
	]);
	for (const key of services) {
		const [namespace = "", name = ""] = key.split("/");
		const service = findService(registry, namespace, name);
		if (service !== undefined) suspects.add(service.hostname);
	}
	const externals = changedKeys(
		before.objects.ExternalService,
		objects.ExternalService,
	);
	if (externals.size > 0) {
		for (const { hostname, external, origin } of registry.services.values()) {
			if (external && externals.has(objectKey(origin))) suspects.add(hostname);
		}
	}
	return suspects;
}

/** Keys of Services with a slice that names, or has the address of, a Pod that changed. */
function servicesOfPods(
	{ slices, objects }: EndpointInputs,
	before: EndpointInputs,
): readonly string[] {
	if (before.objects.Pod === objects.Pod) return [];
	const namespaces = new Set<string>();
	// Names and addresses without their namespaces: what is suspected for nothing is found equal later.
	const names = new Set<string>();
	const addresses = new Set<string>();
	for (const key of changedKeys(before.objects.Pod, objects.Pod)) {
		for (const pod of [before.objects.Pod.get(key), objects.Pod.get(key)]) {
			if (pod === undefined) continue;
			namespaces.add(pod.metadata.namespace);
			names.add(pod.metadata.name);
			for (const ip of pod.ips) addresses.add(ip);
		}
	}
	const concerns = ({ addresses: [first], pod }: SliceEndpoint): boolean =>
		pod === undefined
			? first !== undefined && addresses.has(first)
			: names.has(pod);
	const services: string[] = [];
	for (const [key, own] of slices.byService) {
		if (
			namespaces.has(own[0]?.metadata.namespace ?? "") &&
			own.some((slice) => slice.endpoints.some(concerns))
		) {
			services.push(key);
		}
	}
	return services;
}

function buildRecord(
	hostname: Hostname,
	inputs: EndpointInputs,
	previous: EndpointRecord | undefined,
): EndpointRecord | undefined {
	const { registry, slices, objects } = inputs;
	const service = registry.services.get(hostname);
	if (service === undefined) return undefined;
	const key = objectKey(service.origin);
	const object = service.external
		? objects.ExternalService.get(key)
		: objects.Service.get(key);
	const own = service.external ? [] : (slices.byService.get(key) ?? none);
	const placed = own.flatMap((slice) =>
		slice.endpoints.flatMap((endpoint) => placesOf(slice, endpoint, objects)),
	);
	if (
		previous !== undefined &&
		previous.service === service &&
		previous.object === object &&
		previous.slices === own &&
		sameElements(previous.placed, placed)
	) {
		return previous;
	}
	const listed =
		object === undefined
			? []
			: object.kind === "ExternalService"
				? externalEndpoints(service, object)
				: object.spec.type === "ExternalName"
					? externalNameEndpoints(service, object)
					: sliceEndpoints(service, object, own, objects);
	return {
		service,
		object,
		slices: own,
		placed,
		endpoints: shareList(
			previous?.endpoints,
			[...listed].sort(compareEndpoints),
			endpointKey,
		),
	};
}

const none: readonly EndpointSlice[] = [];

function externalEndpoints(
	service: Service,
	object: ExternalService,
): readonly Endpoint[] {
	const { spec } = object;
	if (service.resolution === "passthrough") return [];
	const ports = (own: Readonly<Record<string, number>>) =>
		new Map(
			spec.ports
				.map((port): [number, number] => [
					port.number,
					own[port.name] ?? port.targetPort ?? port.number,
				])
				.sort(([a], [b]) => a - b),
		);
	if (service.resolution === "dns" && !spec.endpoints?.length) {
		return [
			{
				address: service.hostname,
				ports: ports({}),
				labels: {},
				health: "healthy",
				locality: nowhere,
				weight: 1,
				workload: undefined,
			},
		];
	}
	return mergeDuplicates(
		(spec.endpoints ?? [])
			.filter(
				({ address }) => service.resolution === "dns" || looksLikeIp(address),
			)
			.map((endpoint) => ({
				address: endpoint.address,
				ports: ports(endpoint.ports ?? {}),
				labels: endpoint.labels ?? {},
				health: "healthy",
				locality: parseLocality(endpoint.locality),
				weight: endpoint.weight,
				workload: undefined,
			})),
	);
}

function externalNameEndpoints(
	service: Service,
	object: ServiceObject,
): readonly Endpoint[] {
	const { externalName } = object.spec;
	if (!externalName) return [];
	return [
		{
			address: externalName.toLowerCase().replace(/\.$/, ""),
			ports: new Map(service.ports.map(({ number }) => [number, number])),
			labels: {},
			health: "healthy",
			locality: nowhere,
			weight: 1,
			workload: undefined,
		},
	];
}

function sliceEndpoints(
	service: Service,
	object: ServiceObject,
	slices: readonly EndpointSlice[],
	objects: EndpointInputs["objects"],
): readonly Endpoint[] {
	const found: Endpoint[] = [];
	for (const slice of preferredFamily(object, slices)) {
		const ports = slicePorts(service, slice);
		for (const endpoint of slice.endpoints) {
			const address = endpoint.addresses[0];
			const pod = podOf(slice, endpoint, objects.Pod);
			const health = isGone(slice, endpoint, pod)
				? undefined
				: healthOf(endpoint, pod);
			if (address === undefined || health === undefined) continue;
			found.push({
				address: address.toLowerCase(),
				ports,
				labels: pod?.metadata.labels ?? ownLabels(slice),
				health,
				locality: localityOf(endpoint, pod, objects.Node),
				weight: 1,
				workload: pod === undefined ? undefined : objectKey(pod.metadata),
			});
		}
	}
	return mergeDuplicates(found);
}

/**
 * Slices of one IP family: a dual-stack Service lists every Pod once per
 * family, and a Pod that is listed twice would get twice its share.
 */
function preferredFamily(
	object: ServiceObject,
	slices: readonly EndpointSlice[],
): readonly EndpointSlice[] {
	const has = (type: EndpointSlice["addressType"]): boolean =>
		slices.some(
			(slice) => slice.addressType === type && slice.endpoints.length > 0,
		);
	if (Object.keys(object.spec.selector).length === 0) return slices;
	if (!has("IPv4") || !has("IPv6")) return slices;
	const preferred = object.spec.clusterIPs[0]?.includes(":") ? "IPv6" : "IPv4";
	return slices.filter((slice) => slice.addressType === preferred);
}

function slicePorts(
	service: Service,
	slice: EndpointSlice,
): ReadonlyMap<number, number> {
	const ports = new Map<number, number>();
	for (const { name, number } of service.ports) {
		const port = slice.ports.find(
			(candidate) => candidate.name === name && candidate.protocol === "TCP",
		);
		if (port !== undefined) ports.set(number, port.port);
	}
	return ports;
}

/** The Pod knows first that it is to go. */
function healthOf(
	{ ready, serving, terminating }: SliceEndpoint,
	pod: Pod | undefined,
): Endpoint["health"] | undefined {
	if (terminating || pod?.terminating) return serving ? "draining" : undefined;
	return ready ? "healthy" : undefined;
}

/**
 * Whether the Pod that the endpoint stands for is no more, or is another one by
 * now, although the slice still lists it: Kubernetes writes its slices after the
 * Pods, and half a minute later when a thousand Services are made just then.
 * Slices that somebody else writes may name Pods that never were.
 */
function isGone(
	slice: EndpointSlice,
	endpoint: SliceEndpoint,
	pod: Pod | undefined,
): boolean {
	if (endpoint.pod === undefined) return false;
	if (slice.metadata.labels[managedBy] !== sliceController) return false;
	const [address = ""] = endpoint.addresses;
	return pod === undefined || !pod.ips.includes(address);
}

const managedBy = "endpointslice.kubernetes.io/managed-by";
/** Kubernetes' own, of the controller manager. */
const sliceController = "endpointslice-controller.k8s.io";

function podOf(
	slice: EndpointSlice,
	endpoint: SliceEndpoint,
	pods: ReadonlyMap<string, Pod>,
): Pod | undefined {
	const { namespace } = slice.metadata;
	if (endpoint.pod !== undefined) {
		return pods.get(objectKey({ namespace, name: endpoint.pod }));
	}
	const address = endpoint.addresses[0];
	if (address === undefined) return undefined;
	return podsByAddress(pods).get(`${namespace}/${address}`) ?? undefined;
}

/** By `namespace/ip`; null when several Pods share the address (host network), so that it says nothing. */
const podsByAddress = memoByInput((pods: ReadonlyMap<string, Pod>) => {
	const byAddress = new Map<string, Pod | null>();
	for (const pod of pods.values()) {
		for (const ip of pod.ips) {
			const key = `${pod.metadata.namespace}/${ip}`;
			byAddress.set(key, byAddress.has(key) ? null : pod);
		}
	}
	return byAddress;
});

function placesOf(
	slice: EndpointSlice,
	endpoint: SliceEndpoint,
	objects: EndpointInputs["objects"],
): readonly (Pod | Node | undefined)[] {
	const pod = podOf(slice, endpoint, objects.Pod);
	return [pod, nodeOf(endpoint, pod, objects.Node)];
}

function nodeOf(
	endpoint: SliceEndpoint,
	pod: Pod | undefined,
	nodes: ReadonlyMap<string, Node>,
): Node | undefined {
	const name = endpoint.nodeName ?? pod?.nodeName;
	return name === undefined ? undefined : nodes.get(name);
}

function localityOf(
	endpoint: SliceEndpoint,
	pod: Pod | undefined,
	nodes: ReadonlyMap<string, Node>,
): Locality {
	const node = nodeOf(endpoint, pod, nodes);
	const ofNode = node === undefined ? nowhere : localityOfNode(node);
	return endpoint.zone === undefined || endpoint.zone === ofNode.zone
		? ofNode
		: { region: ofNode.region, zone: endpoint.zone };
}

/** Labels of a slice that its author wrote, without those of Kubernetes itself. */
const ownLabels = memoByInput(
	(slice: EndpointSlice): Readonly<Record<string, string>> =>
		Object.fromEntries(
			Object.entries(slice.metadata.labels).filter(
				([key]) => !/^([^/]+\.)?(kubernetes|k8s)\.io\//.test(key),
			),
		),
);

/** One endpoint per address and ports; healthy before draining, known workload before unknown. */
function mergeDuplicates(endpoints: readonly Endpoint[]): readonly Endpoint[] {
	const byKey = new Map<string, Endpoint>();
	for (const endpoint of endpoints) {
		const key = endpointKey(endpoint);
		const other = byKey.get(key);
		if (other === undefined || compareQuality(endpoint, other) < 0) {
			byKey.set(key, endpoint);
		}
	}
	return [...byKey.values()];
}

function compareQuality(a: Endpoint, b: Endpoint): number {
	return (
		Number(a.health === "draining") - Number(b.health === "draining") ||
		Number(a.workload === undefined) - Number(b.workload === undefined)
	);
}

function endpointKey(endpoint: Endpoint): string {
	let key = endpoint.address;
	for (const [number, port] of endpoint.ports) key += `|${number}>${port}`;
	return key;
}

function compareEndpoints(a: Endpoint, b: Endpoint): number {
	return (
		compareText(a.address, b.address) ||
		compareText(endpointKey(a), endpointKey(b))
	);
}

function buildStrays(
	inputs: EndpointInputs,
	previous: EndpointsPart | undefined,
): EndpointsPart["strays"] {
	const { slices, objects } = inputs;
	const before = previous?.inputs;
	const suspects = new Set([
		...changedKeys(before?.slices.byService, slices.byService),
		...changedKeys(before?.objects.Service, objects.Service),
	]);
	const strays = new Map<string, readonly Finding[] | undefined>();
	for (const key of suspects) {
		const own = objects.Service.has(key) ? none : slices.byService.get(key);
		const findings = (own ?? none).map(strayFinding);
		strays.set(
			key,
			findings.length === 0
				? undefined
				: shareList(previous?.strays.get(key), findings, (finding) =>
						printRef(finding.about),
					),
		);
	}
	return patchSorted(
		previous?.strays ?? new Map<string, readonly Finding[]>(),
		strays,
	);
}

function strayFinding(slice: EndpointSlice): Finding {
	return {
		about: refOf(slice),
		condition: "ResolvedRefs",
		reason: "DestinationNotFound",
		path: "metadata.labels",
		message: `There is no Service ${slice.metadata.namespace}/${slice.serviceName}, so the endpoints of this slice are not used. Create the Service, or correct the label kubernetes.io/service-name.`,
	};
}
