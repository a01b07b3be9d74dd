import { type ObjectRef, objectKey } from "../../api/object-ref.ts";
import type {
	Route,
	VirtualHost,
} from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import type { RouteConfiguration } from "../../gen/envoy/envoy/config/route/v3/route_pb.js";
import type { HttpConnectionManager } from "../../gen/envoy/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { Explanation, RouteTry } from "./explanation.ts";
import { type HttpRequest, seenRequest } from "./http-request.ts";
import { matchDomain, withoutTrailingDot } from "./match-domain.ts";
import { matchRoute } from "./match-route.ts";
import { normalizePath } from "./normalize-path.ts";
import type { ProxyConfig, Sourced } from "./proxy-config.ts";
import { readAction } from "./read-action.ts";

/** What a connection manager makes of a request. */
export type HttpSteps = Pick<
	Explanation,
	"request" | "virtualHost" | "tried" | "untried" | "outcome"
>;

/** Walks a request through virtual host and routes. */
export function explainHttp(
	config: ProxyConfig,
	manager: HttpConnectionManager,
	asked: HttpRequest,
): HttpSteps {
	const request = {
		...asked,
		authority: manager.stripTrailingHostDot
			? withoutTrailingDot(asked.authority)
			: asked.authority,
		path: normalizePath(asked.path, {
			normalize: manager.normalizePath === true,
			mergeSlashes: manager.mergeSlashes,
		}),
	};
	const before = {
		request: seenRequest(request),
		virtualHost: undefined,
		tried: [],
		untried: [],
	};
	const refused = (reason: string): HttpSteps => ({
		...before,
		outcome: { kind: "refused", reason },
	});
	const routes = routesOf(config, manager);
	if (typeof routes === "string") return refused(routes);
	const { name, ignorePortInHostMatching } = routes.message;
	const match = matchDomain(
		hostsOf(config, routes),
		request.authority,
		ignorePortInHostMatching,
	);
	if (match === undefined)
		return refused(
			`No virtual host of route configuration ${name} has the authority ${request.authority}, so the proxy answers with 404.`,
		);
	const { message, origins } = match.host;
	const tried = tryRoutes(message.routes, origins, request);
	const route = message.routes[tried.length - 1];
	const taken = tried.at(-1)?.taken === true ? route : undefined;
	return {
		request: seenRequest(request),
		virtualHost: {
			routes: name,
			name: message.name,
			domain: match.domain,
			match: match.kind,
			origins,
		},
		tried,
		untried: message.routes.slice(tried.length).map((one) => one.name),
		outcome:
			taken === undefined
				? {
						kind: "refused",
						reason:
							"No route of the virtual host takes the request, so the proxy answers with 404.",
					}
				: readAction(config, request, taken, message),
	};
}

function routesOf(
	config: ProxyConfig,
	{ routeSpecifier }: HttpConnectionManager,
): Sourced<RouteConfiguration> | string {
	switch (routeSpecifier.case) {
		case "rds": {
			const name = routeSpecifier.value.routeConfigName;
			return (
				config.routes.get(name) ??
				`The proxy has no route configuration ${name}.`
			);
		}
		case "routeConfig":
			return { message: routeSpecifier.value, origins: [] };
		case "scopedRoutes":
		case undefined:
			return "The connection manager has no routes.";
	}
}

interface HostEntry extends Sourced<VirtualHost> {
	readonly domains: readonly string[];
}

/** The virtual hosts in the route configuration and those that were sent by themselves. */
function hostsOf(
	config: ProxyConfig,
	routes: Sourced<RouteConfiguration>,
): readonly HostEntry[] {
	const prefix = `${routes.message.name}/`;
	return [
		...routes.message.virtualHosts.map((message) => ({
			message,
			origins: routes.origins,
		})),
		...[...config.virtualHosts.values()].filter(({ message }) =>
			message.name.startsWith(prefix),
		),
	].map((host) => ({ ...host, domains: host.message.domains }));
}

/** Holds the routes against the request until one is taken. */
function tryRoutes(
	routes: readonly Route[],
	origins: readonly ObjectRef[],
	request: HttpRequest,
): readonly RouteTry[] {
	const tried: RouteTry[] = [];
	for (const { name, match } of routes) {
		const conditions = match === undefined ? [] : matchRoute(match, request);
		const taken = conditions.every(({ holds }) => holds);
		tried.push({ name, ...originOf(name, origins), taken, conditions });
		if (taken) break;
	}
	return tried;
}

/** Which entry of which rule a route or filter chain of this name comes from (`namespace/name/index`). */
export function originOf(
	name: string,
	origins: readonly ObjectRef[],
): Pick<RouteTry, "origin" | "branch"> {
	const slash = name.lastIndexOf("/");
	const key = name.slice(0, slash);
	const origin = origins.find(
		(ref) => ref.kind === "RouteRule" && objectKey(ref) === key,
	);
	return {
		origin,
		branch: origin === undefined ? undefined : Number(name.slice(slash + 1)),
	};
}
