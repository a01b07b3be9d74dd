import type {
	EndpointSlice,
	Node,
	Pod,
	Service as ServiceObject,
} from "../api/core.ts";
import { compareText, objectKey } from "../api/object-ref.ts";
import type { Objects } from "../api/objects.ts";
import { sameElements, share } from "../lib/share.ts";
import { localityOfNode, nowhere } from "./locality.ts";
import { findService, type Registry } from "./registry.ts";
import type { Protocol, Service } from "./service.ts";
import type { SlicesPart } from "./slices.ts";
import { changedKeys, patchSorted } from "./sorted-map.ts";
import type { InboundPort, Workload } from "./workload.ts";

/** What workloads are made from. */
export interface WorkloadInputs {
	readonly registry: Registry;
	readonly slices: SlicesPart;
	readonly objects: Pick<Objects, "Node" | "Pod" | "Service">;
	readonly trustDomain: string;
}

/** The workloads of the mesh and what the next build shares with them. */
export interface WorkloadsPart {
	readonly inputs: WorkloadInputs;
	readonly workloads: ReadonlyMap<string, Workload>;
	/** By namespace. */
	readonly selectors: ReadonlyMap<string, SelectorIndex>;
	/** By key of the Pod: the Services without selector whose slices name it. */
	readonly byHand: ReadonlyMap<string, readonly ServedByHand[]>;
}

/** The Services of one namespace that select Pods. */
export interface SelectorIndex {
	/** What the index is made from, in order. */
	readonly members: readonly (ServiceObject | Service)[];
	/** By one label of the selector (`key=value`), the one that the fewest Services ask for. */
	readonly byLabel: ReadonlyMap<string, readonly Selecting[]>;
}

/** A Service that selects Pods. */
export interface Selecting {
	readonly object: ServiceObject;
	readonly service: Service;
}

/** A Service without selector, and a slice of it that names the Pod. */
export interface ServedByHand {
	readonly service: Service;
	readonly slice: EndpointSlice;
}

/** The workloads: one per Pod. */
export function buildWorkloads(
	inputs: WorkloadInputs,
	previous: WorkloadsPart | undefined,
): WorkloadsPart {
	const before = previous?.inputs;
	const { registry, slices, objects, trustDomain } = inputs;
	const servicesAreSame =
		before?.objects.Service === objects.Service &&
		before.registry.services === registry.services;
	if (
		previous !== undefined &&
		servicesAreSame &&
		before?.slices === slices &&
		before.objects.Pod === objects.Pod &&
		before.objects.Node === objects.Node &&
		before.trustDomain === trustDomain
	) {
		return previous;
	}
	const selectors =
		previous !== undefined && servicesAreSame
			? previous.selectors
			: indexSelectors(inputs, previous);
	const byHand =
		previous !== undefined && servicesAreSame && before?.slices === slices
			? previous.byHand
			: indexByHand(inputs, previous?.byHand);
	const suspects = new Set(changedKeys(before?.objects.Pod, objects.Pod));
	for (const key of changedKeys(previous?.byHand, byHand)) suspects.add(key);
	const namespaces = changedKeys(previous?.selectors, selectors);
	const all =
		before?.objects.Node !== objects.Node || before.trustDomain !== trustDomain;
	if (all || namespaces.size > 0) {
		for (const [key, pod] of objects.Pod) {
			if (all || namespaces.has(pod.metadata.namespace)) suspects.add(key);
		}
	}
	const patch = new Map<string, Workload | undefined>();
	for (const key of suspects) {
		const pod = objects.Pod.get(key);
		patch.set(
			key,
			pod === undefined
				? undefined
				: share(
						previous?.workloads.get(key),
						buildWorkload(
							pod,
							selectors.get(pod.metadata.namespace),
							byHand.get(key) ?? [],
							inputs,
						),
					),
		);
	}
	return {
		inputs,
		workloads: patchSorted(
			previous?.workloads ?? new Map<string, Workload>(),
			patch,
		),
		selectors,
		byHand,
	};
}

function buildWorkload(
	pod: Pod,
	index: SelectorIndex | undefined,
	byHand: readonly ServedByHand[],
	inputs: WorkloadInputs,
): Workload {
	const { namespace, name, labels } = pod.metadata;
	const hostnames = new Set<string>();
	const inbound = new Map<number, Protocol>();
	const serve = (port: number | undefined, protocol: Protocol): void => {
		if (port === undefined) return;
		inbound.set(port, commonProtocol(inbound.get(port), protocol));
	};
	for (const { object, service } of selecting(labels, index)) {
		hostnames.add(service.hostname);
		for (const { number, protocol } of service.ports) {
			const declared = object.spec.ports.find(
				(port) => port.port === number && port.protocol === "TCP",
			);
			serve(containerPort(declared?.targetPort, pod), protocol);
		}
	}
	for (const { service, slice } of byHand) {
		hostnames.add(service.hostname);
		for (const { name: portName, protocol } of service.ports) {
			const port = slice.ports.find(
				(candidate) =>
					candidate.name === portName && candidate.protocol === "TCP",
			);
			serve(port?.port, protocol);
		}
	}
	const ports: readonly InboundPort[] = [...inbound]
		.map(([port, protocol]) => ({ port, protocol }))
		.sort((a, b) => a.port - b.port);
	return {
		key: objectKey(pod.metadata),
		namespace,
		name,
		labels,
		serviceAccount: pod.serviceAccount,
		identity: `spiffe://${inputs.trustDomain}/ns/${namespace}/sa/${pod.serviceAccount}`,
		ips: pod.ips,
		locality: localityOfPod(pod, inputs.objects.Node),
		services: [...hostnames].sort(compareText),
		inbound: ports,
	};
}

function localityOfPod(pod: Pod, nodes: ReadonlyMap<string, Node>) {
	const node = pod.nodeName === undefined ? undefined : nodes.get(pod.nodeName);
	return node === undefined ? nowhere : localityOfNode(node);
}

function containerPort(
	target: number | string | undefined,
	pod: Pod,
): number | undefined {
	return typeof target === "string"
		? pod.ports.find((port) => port.name === target)?.containerPort
		: target;
}

/** What a port speaks when several Services lead to it: what they agree on, else whatever the bytes say. */
function commonProtocol(a: Protocol | undefined, b: Protocol): Protocol {
	if (a === undefined || a === b || a === "sniffed") return b;
	return b === "sniffed" ? a : "sniffed";
}

function selecting(
	labels: Readonly<Record<string, string>>,
	index: SelectorIndex | undefined,
): readonly Selecting[] {
	if (index === undefined) return [];
	const found: Selecting[] = [];
	for (const key in labels) {
		for (const member of index.byLabel.get(`${key}=${labels[key]}`) ?? []) {
			const { selector } = member.object.spec;
			if (Object.keys(selector).every((k) => labels[k] === selector[k])) {
				found.push(member);
			}
		}
	}
	return found.sort((a, b) =>
		compareText(a.service.hostname, b.service.hostname),
	);
}

function indexSelectors(
	{ registry, objects }: WorkloadInputs,
	previous: WorkloadsPart | undefined,
): WorkloadsPart["selectors"] {
	const before = previous?.inputs;
	const namespaces = new Map<string, Selecting[]>();
	for (const key of changedKeys(before?.objects.Service, objects.Service)) {
		namespaces.set(key.slice(0, key.indexOf("/")), []);
	}
	for (const hostname of changedKeys(
		before?.registry.services,
		registry.services,
	)) {
		const service = registry.services.get(hostname);
		if (service?.external === false) namespaces.set(service.namespace, []);
	}
	for (const object of objects.Service.values()) {
		const { namespace, name } = object.metadata;
		const members = namespaces.get(namespace);
		if (
			members === undefined ||
			object.spec.type === "ExternalName" ||
			Object.keys(object.spec.selector).length === 0
		) {
			continue;
		}
		const service = findService(registry, namespace, name);
		if (service !== undefined) members.push({ object, service });
	}
	const patch = new Map<string, SelectorIndex | undefined>();
	for (const [namespace, members] of namespaces) {
		const old = previous?.selectors.get(namespace);
		const refs = members.flatMap(({ object, service }) => [object, service]);
		const same = old !== undefined && sameElements(old.members, refs);
		const index = same
			? old
			: { members: refs, byLabel: byRarestLabel(members) };
		patch.set(namespace, members.length === 0 ? undefined : index);
	}
	return patchSorted(
		previous?.selectors ?? new Map<string, SelectorIndex>(),
		patch,
	);
}

// A label that all Services of a namespace ask for (`part-of=shop`) would make one long list of all of them.
function byRarestLabel(
	members: readonly Selecting[],
): SelectorIndex["byLabel"] {
	const counts = new Map<string, number>();
	const pairsOf = ({ object }: Selecting): readonly string[] =>
		Object.entries(object.spec.selector).map(([k, v]) => `${k}=${v}`);
	for (const member of members) {
		for (const pair of pairsOf(member)) {
			counts.set(pair, (counts.get(pair) ?? 0) + 1);
		}
	}
	const byLabel = new Map<string, Selecting[]>();
	for (const member of members) {
		const rarest = pairsOf(member).reduce((a, b) =>
			(counts.get(b) ?? 0) < (counts.get(a) ?? 0) ? b : a,
		);
		const list = byLabel.get(rarest);
		if (list === undefined) byLabel.set(rarest, [member]);
		else list.push(member);
	}
	return byLabel;
}

function indexByHand(
	{ registry, slices, objects }: WorkloadInputs,
	previous: WorkloadsPart["byHand"] | undefined,
): WorkloadsPart["byHand"] {
	const byHand = new Map<string, ServedByHand[]>();
	for (const [key, object] of objects.Service) {
		if (Object.keys(object.spec.selector).length > 0) continue;
		const { namespace, name } = object.metadata;
		const service = findService(registry, namespace, name);
		if (service === undefined) continue;
		for (const slice of slices.byService.get(key) ?? []) {
			for (const endpoint of slice.endpoints) {
				if (endpoint.pod === undefined) continue;
				const pod = objectKey({ namespace, name: endpoint.pod });
				const list = byHand.get(pod);
				if (list === undefined) byHand.set(pod, [{ service, slice }]);
				else list.push({ service, slice });
			}
		}
	}
	const shared = new Map<string, readonly ServedByHand[]>();
	for (const [key, list] of byHand) {
		list.sort((a, b) => compareText(a.service.hostname, b.service.hostname));
		const before = previous?.get(key);
		const same =
			before !== undefined &&
			sameElements(
				before.flatMap(({ service, slice }) => [service, slice]),
				list.flatMap(({ service, slice }) => [service, slice]),
			);
		shared.set(key, same ? before : list);
	}
	return shared;
}
