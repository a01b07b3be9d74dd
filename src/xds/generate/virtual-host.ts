import {
	type VirtualHostSchema as HostSchema,
	VirtualHostSchema,
} from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import type { CallerRule } from "../../mesh/caller.ts";
import type { ClusterRef } from "../../mesh/route.ts";
import {
	carriesHttp,
	type Service,
	type ServicePort,
} from "../../mesh/service.ts";
import type { Resource } from "../resource.ts";
import type { Init } from "./init.ts";
import { makeResource } from "./make-resource.ts";
import {
	clusterName,
	clusterNameOf,
	passthroughCluster,
	unresolvedCluster,
	virtualHostName,
} from "./names.ts";
import { escapeRegex } from "./regex.ts";
import {
	clustersOf,
	defaultRetryPolicy,
	defaultRoute,
	originsOf,
	type RouteInit,
	routesOf,
} from "./route.ts";
import { matchesConnect, routeMatch } from "./route-match.ts";
import type { Attachment } from "./service-view.ts";

/** A virtual host, before encoding. */
export type VirtualHostInit = Init<typeof HostSchema>;

/** One port of a service as one kind of caller may call it. */
export interface CalledPort {
	readonly service: Service;
	readonly port: ServicePort;
	/** Rules that apply to the caller, in order. */
	readonly rules: readonly CallerRule[];
	/** Name of the route configuration that the virtual host belongs to. */
	readonly route: string;
	readonly attachment: Attachment;
	/** The caller is in the service's namespace, so that short names mean this service. */
	readonly local: boolean;
}

/** The virtual host of one port of a service, as a resource of its own. */
export function virtualHostResource(called: CalledPort): Resource {
	const name = virtualHostName(
		called.route,
		called.service.hostname,
		called.port.number,
	);
	const { service, port, rules } = called;
	return makeResource(
		VirtualHostSchema,
		name,
		virtualHost(name, called),
		[service.origin, ...originsOf(rules)],
		[
			...new Set([
				clusterName(service.hostname, port.number, ""),
				...clustersOf(rules),
			]),
		],
	);
}

/** The virtual host of one port of a service. */
export function virtualHost(name: string, called: CalledPort): VirtualHostInit {
	const { service, port, rules, attachment } = called;
	const whole = clusterName(service.hostname, port.number, "");
	return {
		name,
		domains: domainsOf(called),
		retryPolicy: defaultRetryPolicy,
		routes: carriesHttp(port.protocol)
			? [
					...(attachment === "captured" ? podRoutes(called) : []),
					...rules.filter(({ rule }) => rule.layer !== "tcp").flatMap(routesOf),
					defaultRoute(whole),
				]
			: [tunnelRoute(rules, whole)],
	};
}

/**
 * The names by which the port is asked for. Captured traffic comes sorted by
 * port, so the port in a name does not matter; a forward proxy sees every port,
 * so there it decides.
 */
function domainsOf(called: CalledPort): string[] {
	const { service, port, attachment, local } = called;
	const hosts = [
		...service.hosts,
		...(local ? service.localHosts : []),
		...service.addresses
			.filter((address) => !address.includes("/"))
			.map((address) => (address.includes(":") ? `[${address}]` : address)),
	];
	if (attachment === "captured")
		return service.resolution === "headless"
			? [...hosts, ...hosts.map((host) => `*.${host}`)]
			: hosts;
	return hosts.flatMap((host) =>
		port.number === 80 ? [host, `${host}:80`] : [`${host}:${port.number}`],
	);
}

/** Below the names of a headless service stand those of its pods: whoever asks for `db-0.db` wants that one, whatever holds for all. */
function podRoutes({ service, local }: CalledPort): RouteInit[] {
	if (service.resolution !== "headless") return [];
	const hosts = [...service.hosts, ...(local ? service.localHosts : [])];
	const pods = `(?i:[^.]+\\.(?:${hosts.map(escapeRegex).join("|")}))`;
	const authority = { kind: "regex", value: pods, not: false } as const;
	return [
		{
			...defaultRoute(passthroughCluster),
			name: "one pod",
			match: routeMatch({
				authority: { ...authority, ignoreCase: true },
				headers: [],
				query: [],
			}),
		},
	];
}

/** A CONNECT through the forward proxy to a port that does not speak HTTP. */
function tunnelRoute(rules: readonly CallerRule[], whole: string): RouteInit {
	const rule = rules.find(
		({ rule, branches }) =>
			rule.layer === "tcp" &&
			branches.some((branch) => branch.tcp === undefined),
	)?.rule;
	const targets =
		rule?.action.kind === "forward"
			? rule.action.targets.map(({ cluster, weight }) => ({
					name: nameOrUnresolved(cluster),
					weight,
				}))
			: [{ name: rule ? unresolvedCluster : whole, weight: 1 }];
	return {
		name: rule ? `${rule.origin.namespace}/${rule.origin.name}/0` : "default",
		match: matchesConnect,
		action: {
			case: "route",
			value: {
				clusterSpecifier: {
					case: "weightedClusters",
					value: { clusters: targets },
				},
				upgradeConfigs: [
					{ upgradeType: "CONNECT", enabled: true, connectConfig: {} },
				],
			},
		},
	};
}

/** Name of the cluster, or of the one without endpoints when the rule names none that exists. */
export function nameOrUnresolved(cluster: ClusterRef | undefined): string {
	return cluster ? clusterNameOf(cluster) : unresolvedCluster;
}
