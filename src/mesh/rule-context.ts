import { refOf } from "../api/metadata.ts";
import type * as api from "../api/route-rule.ts";
import type { Finding, FindingReason } from "./finding.ts";
import type { MeshOptions } from "./mesh.ts";
import {
	findHost,
	findService,
	type Registry,
	serviceHostname,
} from "./registry.ts";
import type { Hostname, Service, ServicePort } from "./service.ts";
import type { Subset } from "./subset.ts";

/** What a rule's labels select, to be checked against the endpoints. */
export interface SubsetUse {
	readonly about: Finding["about"];
	readonly path: string;
	readonly hostname: Hostname;
	readonly subset: Subset;
}

/** A rule that is being compiled: what it may look at, and what it has gathered. */
export interface RuleContext {
	readonly object: api.RouteRule;
	readonly registry: Registry;
	readonly options: MeshOptions;
	/** Every service that was looked up, found or not. */
	readonly lookups: Map<Hostname, Service | undefined>;
	/** By path and message: what holds for several ports is said once. */
	readonly findings: Map<string, Finding>;
	readonly uses: Map<string, SubsetUse>;
}

/** The service that a destination names; undefined, with a finding, when there is none. */
export function findDestination(
	context: RuleContext,
	{ name, namespace, host }: api.Destination,
	path: string,
): Service | undefined {
	if (host !== undefined) {
		const hostname = host.toLowerCase();
		const found = findHost(context.registry, hostname);
		context.lookups.set(hostname, context.registry.services.get(hostname));
		if (found === undefined) {
			addFinding(
				context,
				"DestinationNotFound",
				`${path}.host`,
				`No ExternalService has the host ${hostname}. Create one, or correct the host; a Service is named with name and namespace instead.`,
			);
		}
		return found;
	}
	if (name === undefined) return undefined;
	const inNamespace = namespace ?? context.object.metadata.namespace;
	const hostname = hostnameOf(context, inNamespace, name);
	const found = findService(context.registry, inNamespace, name);
	context.lookups.set(hostname, context.registry.services.get(hostname));
	if (found === undefined) {
		addFinding(
			context,
			"DestinationNotFound",
			`${path}.name`,
			`There is no Service ${inNamespace}/${name}. Create it, or correct name and namespace.`,
		);
	}
	return found;
}

/** The hostname of a Service, whether there is one or not. */
export function hostnameOf(
	context: RuleContext,
	namespace: string,
	name: string,
): Hostname {
	return serviceHostname(namespace, name, context.options.clusterDomain);
}

/** Says that a part of the rule is not in force. */
export function addFinding(
	context: RuleContext,
	reason: FindingReason,
	path: string,
	message: string,
): void {
	context.findings.set(`${path} ${message}`, {
		about: refOf(context.object),
		condition: conditions[reason],
		reason,
		path,
		message,
	});
}

const conditions: { readonly [R in FindingReason]: Finding["condition"] } = {
	DestinationNotFound: "ResolvedRefs",
	SubsetEmpty: "ResolvedRefs",
	Shadowed: "Programmed",
	Conflict: "Accepted",
	ProtocolMismatch: "Accepted",
	Unusable: "Accepted",
};

/** The port of this number or name, or undefined. */
export function findPort(
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

/** The service as a sentence names it. */
export function nameOf(service: Service): string {
	return service.external
		? `Host ${service.hostname}`
		: `Service ${service.namespace}/${service.name}`;
}

/** A sentence that lists the service's ports. */
export function listPorts(service: Service): string {
	const ports = service.ports.map(({ number, name }) =>
		name === "" ? `${number}` : `${number} (${name})`,
	);
	return ports.length === 0
		? "It has no TCP ports."
		: `Its ports are ${ports.join(", ")}.`;
}
