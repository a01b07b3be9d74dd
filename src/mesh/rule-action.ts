import { refOf } from "../api/metadata.ts";
import { objectKey } from "../api/object-ref.ts";
import type * as api from "../api/route-rule.ts";
import type { Action, ClusterRef, Mirror, Target } from "./route.ts";
import {
	addFinding,
	findDestination,
	findPort,
	listPorts,
	nameOf,
	type RuleContext,
} from "./rule-context.ts";
import type { Service, ServicePort } from "./service.ts";
import { type Subset, subsetOf } from "./subset.ts";
import {
	translateForward,
	translateHeaders,
	translateRedirect,
} from "./translate-action.ts";

/** Where a share of the traffic, or a copy of it, goes. */
interface Place {
	readonly service: Service;
	readonly port: number;
}

/** What the rule does with what matches on this port. */
export function actionOf(
	context: RuleContext,
	table: Service,
	port: ServicePort,
): Action {
	const { spec } = context.object;
	if (spec.redirect !== undefined) return translateRedirect(spec.redirect);
	if (spec.respond !== undefined) {
		const { status, body = "" } = spec.respond;
		return { kind: "respond", status, body };
	}
	const targets = targetsOf(context, table, port);
	if (targets.every(({ weight }) => weight === 0)) {
		const message =
			"All weights are 0, so no request can be sent anywhere. Give at least one entry of route a weight above 0.";
		addFinding(context, "Unusable", "spec.route", message);
		return { kind: "unresolved", message };
	}
	if (targets.every(({ cluster }) => cluster === undefined)) {
		return {
			kind: "unresolved",
			message: `Nothing that RouteRule ${objectKey(context.object.metadata)} routes to exists.`,
		};
	}
	return {
		kind: "forward",
		targets,
		mirrors: mirrorsOf(context, table, port),
		...translateForward(spec),
	};
}

function targetsOf(
	context: RuleContext,
	table: Service,
	port: ServicePort,
): readonly Target[] {
	const { spec } = context.object;
	const hashed = spec.affinity !== undefined;
	const budget = spec.retries?.budget;
	const entries: readonly api.RouteTarget[] =
		spec.route === undefined || spec.route.length === 0
			? [{ weight: 1 }]
			: spec.route;
	return entries.map((entry, index): Target => {
		const path = `spec.route[${index}]`;
		const place = placeOf(context, entry.destination, path, table, port);
		const { headers } = entry;
		return {
			cluster: clusterOf(
				context,
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

function mirrorsOf(
	context: RuleContext,
	table: Service,
	port: ServicePort,
): readonly Mirror[] {
	return (context.object.spec.mirror ?? []).flatMap((mirror, index) => {
		const path = `spec.mirror[${index}]`;
		const cluster = clusterOf(
			context,
			placeOf(context, mirror.destination, path, table, port),
			subsetOf(mirror.labels ?? {}, false, undefined),
			path,
		);
		return cluster === undefined ? [] : [{ cluster, percent: mirror.percent }];
	});
}

function clusterOf(
	context: RuleContext,
	place: Place | undefined,
	subset: Subset,
	path: string,
): ClusterRef | undefined {
	if (place === undefined) return undefined;
	const { hostname } = place.service;
	if (Object.keys(subset.labels).length > 0) {
		context.uses.set(`${path} ${hostname}`, {
			about: refOf(context.object),
			path: `${path}.labels`,
			hostname,
			subset,
		});
	}
	return { hostname, port: place.port, subset };
}

/** Where an entry of `route` or `mirror` goes; undefined, with a finding, when that does not exist. */
function placeOf(
	context: RuleContext,
	written: api.Destination | undefined,
	entryPath: string,
	table: Service,
	port: ServicePort,
): Place | undefined {
	if (written === undefined) return { service: table, port: port.number };
	const path = `${entryPath}.destination`;
	const service = meansTable(context, written)
		? table
		: findDestination(context, written, path);
	if (service === undefined) return undefined;
	if (service.resolution === "passthrough" && service !== table) {
		addFinding(
			context,
			"Unusable",
			path,
			`${nameOf(service)} has resolution None, so it is reached only by the address that the caller chose, and other traffic cannot be sent there. Set its resolution to DNS or Static.`,
		);
		return undefined;
	}
	if (written.port !== undefined) {
		const found = findPort(service, written.port);
		if (found !== undefined) return { service, port: found.number };
		addFinding(
			context,
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
	addFinding(
		context,
		"DestinationNotFound",
		path,
		`${nameOf(service)} has no port ${port.number}, and it does not have exactly one port that could be meant. Name the port. ${listPorts(service)}`,
	);
	return undefined;
}

/** A host that the rule is for means, in the table of a host below it, that host. */
function meansTable(
	context: RuleContext,
	{ name, host }: api.Destination,
): boolean {
	const { destination } = context.object.spec;
	return host === undefined
		? name === undefined
		: host.toLowerCase() === destination.host?.toLowerCase();
}
