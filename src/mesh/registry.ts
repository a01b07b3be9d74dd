import type * as k8s from "../api/core.ts";
import type { ExternalService } from "../api/external-service.ts";
import { refOf } from "../api/metadata.ts";
import {
	compareText,
	type ObjectRef,
	objectKey,
	printRef,
} from "../api/object-ref.ts";
import { memoByInput } from "../lib/memo.ts";
import { share } from "../lib/share.ts";
import { draftExternalService } from "./draft-external-service.ts";
import { draftService } from "./draft-service.ts";
import type { Finding } from "./finding.ts";
import type { Hostname, Service } from "./service.ts";
import { replaceSorted } from "./sorted-map.ts";

/** What the services of the mesh are made from. */
export interface RegistryInputs {
	readonly services: ReadonlyMap<string, k8s.Service>;
	readonly externalServices: ReadonlyMap<string, ExternalService>;
	readonly clusterDomain: string;
	/** Keys of Services of which some EndpointSlice lists DNS names. */
	readonly named: ReadonlySet<string>;
	/** Hosts that some rule names, lower-case. */
	readonly ruleHosts: ReadonlySet<string>;
}

/** The services of the mesh and what the next build shares with them. */
export interface Registry {
	readonly inputs: RegistryInputs;
	/** Without those that stand below a wildcard. */
	readonly declared: ReadonlyMap<Hostname, Service>;
	readonly services: ReadonlyMap<Hostname, Service>;
	/**
	 * Exact hosts that only a wildcard host covers and that some rule names,
	 * each with that wildcard. Each is a service of its own, so that a rule for
	 * it leaves the rest of the wildcard alone.
	 */
	readonly covered: ReadonlyMap<Hostname, { readonly wildcard: Hostname }>;
	readonly findings: readonly Finding[];
	/** Made for one cluster domain. */
	readonly draft: (object: k8s.Service) => Service;
}

/**
 * The services of the mesh: one per Service, one per host of an
 * ExternalService, one per host below a wildcard that some rule names.
 *
 * Guarantees: a host and an address belong to one service only. A Service wins
 *   over an ExternalService, then the older object, then namespace/name; the
 *   loser loses that host or address alone and has a finding that names the
 *   winner.
 */
export function buildRegistry(
	inputs: RegistryInputs,
	previous: Registry | undefined,
): Registry {
	const before = previous?.inputs;
	const declarationsAreSame =
		before?.services === inputs.services &&
		before.externalServices === inputs.externalServices &&
		before.clusterDomain === inputs.clusterDomain &&
		before.named === inputs.named;
	if (
		previous !== undefined &&
		declarationsAreSame &&
		before?.ruleHosts === inputs.ruleHosts
	) {
		return previous;
	}
	const { clusterDomain } = inputs;
	const draft =
		previous !== undefined && before?.clusterDomain === clusterDomain
			? previous.draft
			: memoByInput((object: k8s.Service) =>
					draftService(object, clusterDomain),
				);
	const { declared, findings } =
		previous !== undefined && declarationsAreSame
			? previous
			: declare(inputs, draft, previous);
	const covered = coverHosts(inputs.ruleHosts, declared, previous);
	return {
		inputs,
		declared,
		services: withCovered(declared, covered, previous),
		covered,
		findings,
		draft,
	};
}

/** The service of a Kubernetes Service, or undefined. */
export function findService(
	registry: Registry,
	namespace: string,
	name: string,
): Service | undefined {
	const found = registry.services.get(
		serviceHostname(namespace, name, registry.inputs.clusterDomain),
	);
	return found?.external === false ? found : undefined;
}

/** The hostname of the Kubernetes Service of this name, whether there is one or not. */
export function serviceHostname(
	namespace: string,
	name: string,
	clusterDomain: string,
): Hostname {
	return `${name}.${namespace}.svc.${clusterDomain}`;
}

/** The service with this host of an ExternalService, or undefined. */
export function findHost(
	registry: Registry,
	host: string,
): Service | undefined {
	const found = registry.services.get(host.toLowerCase());
	return found?.external === true ? found : undefined;
}

type Declarer = k8s.Service | ExternalService;

function declare(
	inputs: RegistryInputs,
	draft: (object: k8s.Service) => Service,
	previous: Registry | undefined,
): {
	readonly declared: ReadonlyMap<Hostname, Service>;
	readonly findings: readonly Finding[];
} {
	const findings: Finding[] = [];
	const declared = new Map<Hostname, Service>();
	const addresses = ownersOfAddresses(inputs);
	const add = (service: Service): void => {
		declared.set(
			service.hostname,
			share(previous?.services.get(service.hostname), service),
		);
	};
	const ownedAddresses = (
		object: Declarer,
		claimed: readonly string[],
		path: string,
	): readonly string[] => {
		const owned = claimed.filter((address, index) => {
			const owner = addresses.get(address.toLowerCase());
			if (owner === undefined || owner === object) return true;
			findings.push(
				conflict(object, owner, `${path}[${index}]`, "address", address),
			);
			return false;
		});
		return owned.length === claimed.length ? claimed : owned;
	};

	for (const [key, object] of inputs.services) {
		const service = draft(object);
		const owned = ownedAddresses(object, service.addresses, "spec.clusterIPs");
		const isNamed =
			inputs.named.has(key) &&
			(service.resolution === "listed" || service.resolution === "headless");
		add(
			owned === service.addresses && !isNamed
				? service
				: {
						...service,
						addresses: owned,
						resolution: isNamed ? "dns" : service.resolution,
					},
		);
		if (object.spec.type === "ExternalName" && !object.spec.externalName) {
			findings.push({
				about: refOf(object),
				condition: "Accepted",
				reason: "Unusable",
				path: "spec.externalName",
				message:
					"The Service is of type ExternalName but names nothing, so calls to it fail. Set externalName to a DNS name.",
			});
		}
	}

	const serviceNames = memoizedNames(inputs.services);
	const hosts = new Map<string, ExternalService>();
	const byAge = [...inputs.externalServices.values()].sort(compareAge);
	for (const object of byAge) {
		const wonHosts: string[] = [];
		object.spec.hosts.forEach((written, index) => {
			const host = written.toLowerCase();
			const owner =
				serviceWithHost(host, inputs, serviceNames) ?? hosts.get(host);
			if (owner === undefined) {
				hosts.set(host, object);
				wonHosts.push(host);
			} else if (owner !== object) {
				findings.push(
					conflict(object, owner, `spec.hosts[${index}]`, "host", host),
				);
			}
		});
		const owned = ownedAddresses(
			object,
			object.spec.addresses ?? [],
			"spec.addresses",
		);
		const drafted = draftExternalService(object, wonHosts, owned);
		for (const service of drafted.services) add(service);
		findings.push(...drafted.findings);
	}
	return {
		declared: replaceSorted(
			previous?.declared ?? new Map<Hostname, Service>(),
			declared,
		),
		findings: share(previous?.findings, findings),
	};
}

function ownersOfAddresses(
	inputs: RegistryInputs,
): ReadonlyMap<string, Declarer> {
	const owners = new Map<string, Declarer>();
	const claim = (object: Declarer, addresses: readonly string[]): void => {
		for (const written of addresses) {
			const address = written.toLowerCase();
			const owner = owners.get(address);
			if (owner === undefined || compareAge(object, owner) < 0) {
				owners.set(address, object);
			}
		}
	};
	for (const object of inputs.services.values()) {
		claim(object, object.spec.clusterIPs);
	}
	for (const object of inputs.externalServices.values()) {
		claim(object, object.spec.addresses ?? []);
	}
	return owners;
}

/** Services before ExternalServices, then the older, then namespace and name. */
function compareAge(a: Declarer, b: Declarer): number {
	if (a.kind !== b.kind) return a.kind === "Service" ? -1 : 1;
	return (
		a.metadata.createdMs - b.metadata.createdMs ||
		compareText(a.metadata.namespace, b.metadata.namespace) ||
		compareText(a.metadata.name, b.metadata.name)
	);
}

/**
 * The Service that is called by this host, in any namespace.
 *
 * Short names count although they are good in one namespace only: a proxy there
 * would otherwise have two services of one name.
 */
function serviceWithHost(
	host: string,
	inputs: RegistryInputs,
	serviceNames: () => ReadonlyMap<string, k8s.Service>,
): k8s.Service | undefined {
	const [name, namespace, ...rest] = host.split(".");
	if (name === undefined) return undefined;
	if (namespace === undefined) return serviceNames().get(name);
	const suffix = rest.join(".");
	return suffix === "" ||
		suffix === "svc" ||
		suffix === `svc.${inputs.clusterDomain}`
		? inputs.services.get(objectKey({ namespace, name }))
		: undefined;
}

/** The Service that wins each short name; computed only when an ExternalService has a short host. */
function memoizedNames(
	services: ReadonlyMap<string, k8s.Service>,
): () => ReadonlyMap<string, k8s.Service> {
	let names: Map<string, k8s.Service> | undefined;
	return () => {
		if (names !== undefined) return names;
		names = new Map();
		for (const object of services.values()) {
			const owner = names.get(object.metadata.name);
			if (owner === undefined || compareAge(object, owner) < 0) {
				names.set(object.metadata.name, object);
			}
		}
		return names;
	};
}

function conflict(
	loser: Declarer,
	winner: Declarer,
	path: string,
	what: "host" | "address",
	value: string,
): Finding {
	const owner: ObjectRef = refOf(winner);
	return {
		about: refOf(loser),
		condition: "Accepted",
		reason: "Conflict",
		path,
		message: `The ${what} ${value} belongs to ${printRef(owner)} already, so it does not lead here. Remove it from one of the two.`,
	};
}

function coverHosts(
	hosts: ReadonlySet<string>,
	declared: ReadonlyMap<Hostname, Service>,
	previous: Registry | undefined,
): Registry["covered"] {
	const covered = new Map<Hostname, { readonly wildcard: Hostname }>();
	for (const host of hosts) {
		if (declared.has(host) || host.startsWith("*")) continue;
		const wildcard = wildcardOf(host, declared);
		if (wildcard !== undefined) covered.set(host, { wildcard });
	}
	const before: Registry["covered"] = previous?.covered ?? new Map();
	for (const [host, value] of covered) {
		covered.set(host, share(before.get(host), value));
	}
	return replaceSorted(before, covered);
}

/** The most specific wildcard host that covers this host. */
function wildcardOf(
	host: string,
	declared: ReadonlyMap<Hostname, Service>,
): Hostname | undefined {
	for (
		let dot = host.indexOf(".");
		dot !== -1;
		dot = host.indexOf(".", dot + 1)
	) {
		const wildcard = `*${host.slice(dot)}`;
		if (declared.has(wildcard)) return wildcard;
	}
	return undefined;
}

function withCovered(
	declared: ReadonlyMap<Hostname, Service>,
	covered: Registry["covered"],
	previous: Registry | undefined,
): ReadonlyMap<Hostname, Service> {
	if (covered.size === 0) return declared;
	if (previous?.declared === declared && previous.covered === covered) {
		return previous.services;
	}
	const services = new Map(declared);
	for (const [host, { wildcard }] of covered) {
		const parent = declared.get(wildcard);
		if (parent === undefined) continue;
		services.set(
			host,
			share(previous?.services.get(host), {
				...parent,
				hostname: host,
				hosts: [host],
				addresses: [],
			}),
		);
	}
	return replaceSorted(previous?.services ?? new Map(), services);
}
