/*
 * One RouteRule object → its Rule in each route table that it belongs to.
 *
 * The result depends on the object, the mesh's options and the services that
 * the object names; those services are recorded (`lookups`), so that a later
 * build can tell without compiling whether the result still holds.
 */
import { refOf } from "../api/metadata.ts";
import { objectKey } from "../api/object-ref.ts";
import type * as api from "../api/route-rule.ts";
import { share } from "../lib/share.ts";
import {
	compareFindings,
	type Finding,
	type FindingReason,
} from "./finding.ts";
import { httpOnlyField } from "./http-only-field.ts";
import { type MeshOptions, routeTableKey } from "./mesh.ts";
import {
	findHost,
	findService,
	type Registry,
	serviceHostname,
} from "./registry.ts";
import type {
	Action,
	Branch,
	ClusterRef,
	Mirror,
	Rule,
	Target,
} from "./route.ts";
import {
	carriesHttp,
	type Hostname,
	type Service,
	type ServicePort,
} from "./service.ts";
import { type Subset, subsetOf } from "./subset.ts";
import {
	translateCors,
	translateForward,
	translateHeaders,
	translateRedirect,
} from "./translate-action.ts";
import {
	translateFault,
	translateHttpMatch,
	translateSource,
	translateTcpMatch,
} from "./translate-match.ts";

/** What a rule's labels select, to be checked against the endpoints. */
export interface SubsetUse {
	readonly about: Finding["about"];
	readonly path: string;
	readonly hostname: Hostname;
	readonly subset: Subset;
}

/** A RouteRule as it applies to every port that it applies to. */
export interface CompiledRule {
	readonly object: api.RouteRule;
	/** `namespace/name`. */
	readonly key: string;
	/** The rule is in the namespace of its callers, not of its destination. */
	readonly isConsumer: boolean;
	/** By key of the route table. */
	readonly rules: ReadonlyMap<string, Rule>;
	readonly uses: readonly SubsetUse[];
	/** Sorted. */
	readonly findings: readonly Finding[];
	/** Every service that was looked up, found or not. */
	readonly lookups: ReadonlyMap<Hostname, Service | undefined>;
	/** Hosts below the rule's wildcard host at that time; undefined for other rules. */
	readonly covered: Registry["covered"] | undefined;
}

/** Compiles a rule; what is equal to the previous result is shared with it. */
export function compileRule(
	object: api.RouteRule,
	registry: Registry,
	options: MeshOptions,
	previous: CompiledRule | undefined,
): CompiledRule {
	return new RuleCompiler(object, registry, options).compile(previous);
}

/** True while a compiled rule still is what compiling its object again would give. */
export function isCurrent(compiled: CompiledRule, registry: Registry): boolean {
	if (compiled.covered !== undefined && compiled.covered !== registry.covered) {
		return false;
	}
	for (const [hostname, service] of compiled.lookups) {
		if (registry.services.get(hostname) !== service) return false;
	}
	return true;
}

/** Where a share of the traffic, or a copy of it, goes. */
interface Place {
	readonly service: Service;
	readonly port: number;
}

/** Holds what compiling one rule gathers. */
class RuleCompiler {
	readonly #object: api.RouteRule;
	readonly #registry: Registry;
	readonly #options: MeshOptions;
	readonly #lookups = new Map<Hostname, Service | undefined>();
	readonly #findings = new Map<string, Finding>();
	readonly #uses = new Map<string, SubsetUse>();

	constructor(object: api.RouteRule, registry: Registry, options: MeshOptions) {
		this.#object = object;
		this.#registry = registry;
		this.#options = options;
	}

	compile(previous: CompiledRule | undefined): CompiledRule {
		const { spec, metadata } = this.#object;
		const rules = new Map<string, Rule>();
		const destination = this.#findDestination(
			spec.destination,
			"spec.destination",
		);
		let isConsumer = false;
		let isWildcard = false;
		if (destination !== undefined) {
			isConsumer =
				metadata.namespace !== destination.namespace &&
				metadata.namespace !== this.#options.rootNamespace;
			isWildcard = destination.hostname.startsWith("*");
			for (const service of this.#withCovered(destination)) {
				this.#compileFor(service, isConsumer, rules);
			}
		}
		return {
			object: this.#object,
			key: objectKey(metadata),
			isConsumer,
			rules: share(previous?.rules, rules),
			uses: share(previous?.uses, [...this.#uses.values()]),
			findings: share(
				previous?.findings,
				[...this.#findings.values()].sort(compareFindings),
			),
			lookups: this.#lookups,
			covered: isWildcard ? this.#registry.covered : undefined,
		};
	}

	#compileFor(
		service: Service,
		isConsumer: boolean,
		rules: Map<string, Rule>,
	): void {
		const { spec, metadata } = this.#object;
		const callerNamespace = isConsumer ? metadata.namespace : undefined;
		const ports = this.#portsOf(service);
		const branches = this.#branches(service, ports, callerNamespace);
		const gateways = this.#gateways(callerNamespace);
		for (const { port, layer } of ports) {
			const own = branches.filter(
				(branch) => branch.port === undefined || branch.port === port.number,
			);
			if (own.length === 0) continue;
			rules.set(routeTableKey(service.hostname, port.number), {
				origin: refOf(this.#object),
				layer,
				...(callerNamespace !== undefined && { callerNamespace }),
				sidecars: true,
				gateways,
				branches: own,
				action: this.#action(service, port),
				...(spec.fault !== undefined && { fault: translateFault(spec.fault) }),
				...(spec.cors !== undefined && { cors: translateCors(spec.cors) }),
				...(spec.headers !== undefined && {
					headers: translateHeaders(spec.headers),
				}),
			});
		}
	}

	/** A rule for a wildcard host is also one for every host below it that is a service of its own. */
	#withCovered(destination: Service): readonly Service[] {
		const services = [destination];
		if (!destination.hostname.startsWith("*")) return services;
		for (const [host, { wildcard }] of this.#registry.covered) {
			if (wildcard !== destination.hostname) continue;
			const service = findHost(this.#registry, host);
			this.#lookups.set(host, service);
			if (service !== undefined) services.push(service);
		}
		return services;
	}

	#portsOf(service: Service): readonly {
		readonly port: ServicePort;
		readonly layer: Rule["layer"];
	}[] {
		const { spec } = this.#object;
		const isL4 = spec.match?.some((match) => match.tcp !== undefined) === true;
		const httpOnly = httpOnlyField(spec);
		const layerOf = (port: ServicePort): Rule["layer"] | undefined => {
			if (isL4) {
				return carriesHttp(port.protocol) && port.protocol !== "sniffed"
					? undefined
					: "tcp";
			}
			if (carriesHttp(port.protocol)) return "http";
			return httpOnly === undefined ? "tcp" : undefined;
		};
		const mismatch = (path: string, what: string): void =>
			this.#find(
				"ProtocolMismatch",
				path,
				isL4
					? `${what}, where requests are routed one by one, so conditions on connections cannot be met. Match on HTTP instead of tcp, or name the port's protocol (appProtocol tcp or tls).`
					: `${what}, where requests cannot be told apart, so the rule has no effect. Remove ${httpOnly ?? "the HTTP fields"}, or name the port's protocol (appProtocol http, http2 or grpc).`,
			);

		if (spec.destination.port !== undefined) {
			const path = "spec.destination.port";
			const port = findPort(service, spec.destination.port);
			if (port === undefined) {
				this.#find(
					"DestinationNotFound",
					path,
					`${nameOf(service)} has no port ${spec.destination.port}, so the rule has no effect. ${listPorts(service)}`,
				);
				return [];
			}
			const layer = layerOf(port);
			if (layer === undefined) {
				mismatch(
					path,
					`Port ${port.number} of ${nameOf(service)} speaks ${port.protocol}`,
				);
				return [];
			}
			return [{ port, layer }];
		}

		const possible = service.ports.flatMap((port) => {
			const layer = layerOf(port);
			return layer === undefined ? [] : [{ port, layer }];
		});
		// A rule for all ports means requests as soon as there is a port that has them.
		const http = possible.filter(({ layer }) => layer === "http");
		const chosen = http.length > 0 ? http : possible;
		if (service.ports.length === 0) {
			this.#find(
				"DestinationNotFound",
				"spec.destination",
				`${nameOf(service)} has no TCP ports, so the rule has no effect. Add a port to it.`,
			);
		} else if (chosen.length === 0) {
			mismatch(
				"spec.destination",
				`All ports of ${nameOf(service)} speak ${[...new Set(service.ports.map(({ protocol }) => protocol))].join(" or ")}`,
			);
		}
		return chosen;
	}

	#branches(
		service: Service,
		ports: readonly { readonly port: ServicePort }[],
		callerNamespace: string | undefined,
	): readonly Branch[] {
		const { spec, metadata } = this.#object;
		if (spec.match === undefined || spec.match.length === 0) {
			return [{ index: 0 }];
		}
		return spec.match.flatMap((match, index): readonly Branch[] => {
			const path = `spec.match[${index}]`;
			const { port, source } = match;
			if (
				port !== undefined &&
				ports.length > 0 &&
				!ports.some((candidate) => candidate.port.number === port)
			) {
				const exists = findPort(service, port) !== undefined;
				this.#find(
					exists ? "Unusable" : "DestinationNotFound",
					`${path}.port`,
					exists
						? `The rule does not apply to port ${port} of ${nameOf(service)}, so this entry never matches. Use one of the ports that it applies to: ${ports.map((candidate) => candidate.port.number).join(", ")}.`
						: `${nameOf(service)} has no port ${port}, so this entry never matches. ${listPorts(service)}`,
				);
				return [];
			}
			const sourceNamespace = source?.namespace ?? metadata.namespace;
			if (
				callerNamespace !== undefined &&
				(source?.namespace !== undefined || source?.name !== undefined) &&
				sourceNamespace !== callerNamespace
			) {
				this.#find(
					"Unusable",
					`${path}.source.namespace`,
					`The rule is in namespace ${callerNamespace} and ${nameOf(service)} is not, so it applies to callers in ${callerNamespace} only and this entry never matches. Move the rule to namespace ${service.namespace}, or remove source.namespace.`,
				);
				return [];
			}
			const caller =
				source?.name === undefined
					? undefined
					: this.#sourceService(source.name, sourceNamespace, path);
			const http = translateHttpMatch(match);
			const tcp = translateTcpMatch(match);
			return [
				{
					index,
					...(source !== undefined && {
						source: translateSource(source, caller),
					}),
					...(port !== undefined && { port }),
					...(http !== undefined && { http }),
					...(tcp !== undefined && { tcp }),
					...(match.fault !== undefined && {
						fault: translateFault(match.fault),
					}),
				},
			];
		});
	}

	#sourceService(name: string, namespace: string, path: string): Hostname {
		const hostname = this.#hostname(namespace, name);
		const service = findService(this.#registry, namespace, name);
		this.#lookups.set(hostname, this.#registry.services.get(hostname));
		if (service === undefined) {
			this.#find(
				"DestinationNotFound",
				`${path}.source.name`,
				`There is no Service ${namespace}/${name}, so no caller belongs to it and this entry never matches. Create the Service, or correct the name.`,
			);
		}
		return hostname;
	}

	#gateways(callerNamespace: string | undefined): readonly string[] {
		const { spec, metadata } = this.#object;
		const names = new Set<string>();
		(spec.gateways ?? []).forEach((written, index) => {
			const name = written.includes("/")
				? written
				: `${metadata.namespace}/${written}`;
			if (
				callerNamespace !== undefined &&
				!name.startsWith(`${callerNamespace}/`)
			) {
				this.#find(
					"Unusable",
					`spec.gateways[${index}]`,
					`The rule is in namespace ${callerNamespace} and its destination is not, so it applies to callers in ${callerNamespace} only and not to gateway ${name}. Move the rule to the namespace of its destination.`,
				);
			} else names.add(name);
		});
		return [...names].sort();
	}

	#action(table: Service, port: ServicePort): Action {
		const { spec } = this.#object;
		if (spec.redirect !== undefined) return translateRedirect(spec.redirect);
		if (spec.respond !== undefined) {
			const { status, body = "" } = spec.respond;
			return { kind: "respond", status, body };
		}
		const targets = this.#targets(table, port);
		if (targets.every(({ weight }) => weight === 0)) {
			const message =
				"All weights are 0, so no request can be sent anywhere. Give at least one entry of route a weight above 0.";
			this.#find("Unusable", "spec.route", message);
			return { kind: "unresolved", message };
		}
		if (targets.every(({ cluster }) => cluster === undefined)) {
			return {
				kind: "unresolved",
				message: `Nothing that RouteRule ${objectKey(this.#object.metadata)} routes to exists.`,
			};
		}
		return {
			kind: "forward",
			targets,
			mirrors: this.#mirrors(table, port),
			...translateForward(spec),
		};
	}

	#targets(table: Service, port: ServicePort): readonly Target[] {
		const { spec } = this.#object;
		const hashed = spec.affinity !== undefined;
		const budget = spec.retries?.budget;
		const entries: readonly api.RouteTarget[] =
			spec.route === undefined || spec.route.length === 0
				? [{ weight: 1 }]
				: spec.route;
		return entries.map((entry, index): Target => {
			const path = `spec.route[${index}]`;
			const place = this.#place(entry.destination, path, table, port);
			const { headers } = entry;
			return {
				cluster: this.#cluster(
					place,
					subsetOf(entry.labels ?? {}, hashed, budget),
					path,
				),
				// One entry takes everything, whatever its weight; absent weights count 1 in the schema.
				weight: entries.length === 1 ? entry.weight || 1 : entry.weight,
				...(headers !== undefined && { headers: translateHeaders(headers) }),
			};
		});
	}

	#mirrors(table: Service, port: ServicePort): readonly Mirror[] {
		return (this.#object.spec.mirror ?? []).flatMap((mirror, index) => {
			const path = `spec.mirror[${index}]`;
			const cluster = this.#cluster(
				this.#place(mirror.destination, path, table, port),
				subsetOf(mirror.labels ?? {}, false, undefined),
				path,
			);
			return cluster === undefined
				? []
				: [{ cluster, percent: mirror.percent }];
		});
	}

	#cluster(
		place: Place | undefined,
		subset: Subset,
		path: string,
	): ClusterRef | undefined {
		if (place === undefined) return undefined;
		const { hostname } = place.service;
		if (Object.keys(subset.labels).length > 0) {
			this.#uses.set(`${path} ${hostname}`, {
				about: refOf(this.#object),
				path: `${path}.labels`,
				hostname,
				subset,
			});
		}
		return { hostname, port: place.port, subset };
	}

	/** Where an entry of `route` or `mirror` goes; undefined, with a finding, when that does not exist. */
	#place(
		written: api.Destination | undefined,
		entryPath: string,
		table: Service,
		port: ServicePort,
	): Place | undefined {
		if (written === undefined) return { service: table, port: port.number };
		const path = `${entryPath}.destination`;
		const isNamed = written.name !== undefined || written.host !== undefined;
		const service = isNamed ? this.#findDestination(written, path) : table;
		if (service === undefined) return undefined;
		if (service.resolution === "passthrough" && service !== table) {
			this.#find(
				"Unusable",
				path,
				`${nameOf(service)} has resolution None, so it is reached only by the address that the caller chose, and other traffic cannot be sent there. Set its resolution to DNS or Static.`,
			);
			return undefined;
		}
		if (written.port !== undefined) {
			const found = findPort(service, written.port);
			if (found !== undefined) return { service, port: found.number };
			this.#find(
				"DestinationNotFound",
				`${path}.port`,
				`${nameOf(service)} has no port ${written.port}. ${listPorts(service)}`,
			);
			return undefined;
		}
		const [only] = service.ports;
		const found =
			findPort(service, port.number) ??
			(service.ports.length === 1 ? only : undefined);
		if (found !== undefined) return { service, port: found.number };
		this.#find(
			"DestinationNotFound",
			path,
			`${nameOf(service)} has no port ${port.number}, and it does not have exactly one port that could be meant. Name the port. ${listPorts(service)}`,
		);
		return undefined;
	}

	#findDestination(
		{ name, namespace, host }: api.Destination,
		path: string,
	): Service | undefined {
		if (host !== undefined) {
			const hostname = host.toLowerCase();
			const found = findHost(this.#registry, hostname);
			this.#lookups.set(hostname, this.#registry.services.get(hostname));
			if (found === undefined) {
				this.#find(
					"DestinationNotFound",
					`${path}.host`,
					`No ExternalService has the host ${hostname}. Create one, or correct the host; a Service is named with name and namespace instead.`,
				);
			}
			return found;
		}
		if (name === undefined) return undefined;
		const inNamespace = namespace ?? this.#object.metadata.namespace;
		const hostname = this.#hostname(inNamespace, name);
		const found = findService(this.#registry, inNamespace, name);
		this.#lookups.set(hostname, this.#registry.services.get(hostname));
		if (found === undefined) {
			this.#find(
				"DestinationNotFound",
				`${path}.name`,
				`There is no Service ${inNamespace}/${name}. Create it, or correct name and namespace.`,
			);
		}
		return found;
	}

	#hostname(namespace: string, name: string): Hostname {
		return serviceHostname(namespace, name, this.#options.clusterDomain);
	}

	#find(reason: FindingReason, path: string, message: string): void {
		this.#findings.set(`${path} ${message}`, {
			about: refOf(this.#object),
			condition: conditions[reason],
			reason,
			path,
			message,
		});
	}
}

const conditions: { readonly [R in FindingReason]: Finding["condition"] } = {
	DestinationNotFound: "ResolvedRefs",
	SubsetEmpty: "ResolvedRefs",
	Shadowed: "Programmed",
	Conflict: "Accepted",
	ProtocolMismatch: "Accepted",
	Unusable: "Accepted",
};

function findPort(
	service: Service,
	wanted: number | string,
): ServicePort | undefined {
	const number =
		typeof wanted === "number" || /^[0-9]+$/.test(wanted)
			? Number(wanted)
			: undefined;
	return service.ports.find((port) =>
		number === undefined ? port.name === wanted : port.number === number,
	);
}

function nameOf(service: Service): string {
	return service.external
		? `Host ${service.hostname}`
		: `Service ${service.namespace}/${service.name}`;
}

function listPorts(service: Service): string {
	const ports = service.ports.map(({ number, name }) =>
		name === "" ? `${number}` : `${number} (${name})`,
	);
	return ports.length === 0
		? "It has no TCP ports."
		: `Its ports are ${ports.join(", ")}.`;
}
