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
import { compareFindings, type Finding } from "./finding.ts";
import { type MeshOptions, routeTableKey } from "./mesh.ts";
import { findHost, type Registry } from "./registry.ts";
import type { Rule } from "./route.ts";
import { actionOf } from "./rule-action.ts";
import { branchesOf } from "./rule-branches.ts";
import {
	addFinding,
	findDestination,
	type RuleContext,
	type SubsetUse,
} from "./rule-context.ts";
import { portsOf } from "./rule-ports.ts";
import type { Hostname, Service } from "./service.ts";
import { translateCors, translateHeaders } from "./translate-action.ts";
import { translateFault } from "./translate-match.ts";

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
	const context: RuleContext = {
		object,
		registry,
		options,
		lookups: new Map(),
		findings: new Map(),
		uses: new Map(),
	};
	const { spec, metadata } = object;
	const rules = new Map<string, Rule>();
	const destination = findDestination(
		context,
		spec.destination,
		"spec.destination",
	);
	let isConsumer = false;
	let isWildcard = false;
	if (destination !== undefined) {
		isConsumer =
			metadata.namespace !== destination.namespace &&
			metadata.namespace !== context.options.rootNamespace;
		isWildcard = destination.hostname.startsWith("*");
		for (const service of withCovered(context, destination)) {
			compileFor(context, service, isConsumer, rules);
		}
	}
	return {
		object: context.object,
		key: objectKey(metadata),
		isConsumer,
		rules: share(previous?.rules, rules),
		uses: share(previous?.uses, [...context.uses.values()]),
		findings: share(
			previous?.findings,
			[...context.findings.values()].sort(compareFindings),
		),
		lookups: context.lookups,
		covered: isWildcard ? context.registry.covered : undefined,
	};
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

function compileFor(
	context: RuleContext,
	service: Service,
	isConsumer: boolean,
	rules: Map<string, Rule>,
): void {
	const { spec, metadata } = context.object;
	const callerNamespace = isConsumer ? metadata.namespace : undefined;
	const ports = portsOf(context, service);
	const branches = branchesOf(context, service, ports, callerNamespace);
	const gateways = gatewaysOf(context, callerNamespace);
	for (const { port, layer } of ports) {
		const own = branches.filter(
			(branch) => branch.port === undefined || branch.port === port.number,
		);
		if (own.length === 0) continue;
		rules.set(routeTableKey(service.hostname, port.number), {
			origin: refOf(context.object),
			layer,
			...(callerNamespace !== undefined && { callerNamespace }),
			sidecars: true,
			gateways,
			branches: own,
			action: actionOf(context, service, port),
			...(spec.fault !== undefined && { fault: translateFault(spec.fault) }),
			...(spec.cors !== undefined && { cors: translateCors(spec.cors) }),
			...(spec.headers !== undefined && {
				headers: translateHeaders(spec.headers),
			}),
		});
	}
}

/** A rule for a wildcard host is also one for every host below it that is a service of its own. */
function withCovered(
	context: RuleContext,
	destination: Service,
): readonly Service[] {
	const services = [destination];
	if (!destination.hostname.startsWith("*")) return services;
	for (const [host, { wildcard }] of context.registry.covered) {
		if (wildcard !== destination.hostname) continue;
		const service = findHost(context.registry, host);
		context.lookups.set(host, service);
		if (service !== undefined) services.push(service);
	}
	return services;
}

function gatewaysOf(
	context: RuleContext,
	callerNamespace: string | undefined,
): readonly string[] {
	const { spec, metadata } = context.object;
	const names = new Set<string>();
	(spec.gateways ?? []).forEach((written, index) => {
		const name = written.includes("/")
			? written
			: `${metadata.namespace}/${written}`;
		if (
			callerNamespace !== undefined &&
			!name.startsWith(`${callerNamespace}/`)
		) {
			addFinding(
				context,
				"Unusable",
				`spec.gateways[${index}]`,
				`The rule is in namespace ${callerNamespace} and its destination is not, so it applies to callers in ${callerNamespace} only and not to gateway ${name}. Move the rule to the namespace of its destination.`,
			);
		} else names.add(name);
	});
	return [...names].sort();
}
