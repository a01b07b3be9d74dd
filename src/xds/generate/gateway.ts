import type { Caller } from "../../mesh/caller.ts";
import { rulesFor } from "../../mesh/caller.ts";
import type { Mesh } from "../../mesh/mesh.ts";
import type { Resource } from "../resource.ts";
import { gatewayRouteName } from "./names.ts";
import {
	clustersOf,
	defaultRetryPolicy,
	directResponse,
	originsOf,
	routesOf,
} from "./route.ts";
import { routeConfigurationResource } from "./route-configuration.ts";
import { matchesAll } from "./route-match.ts";

/**
 * The routes of a gateway: just the rules that name it, in their order, and 404
 * for the rest. A gateway opens nothing that no rule opens.
 */
export function gatewayRoutes(mesh: Mesh, caller: Caller): Resource {
	const table = mesh.gateways.get(caller.gateway);
	const rules = (table ? rulesFor(table, caller) : []).filter(
		({ rule }) => rule.layer === "http",
	);
	return routeConfigurationResource(
		{
			name: gatewayRouteName(caller.gateway),
			virtualHosts: [
				{
					name: "gateway",
					domains: ["*"],
					retryPolicy: defaultRetryPolicy,
					routes: [
						...rules.flatMap(routesOf),
						{
							name: "no rule",
							match: matchesAll,
							action: directResponse(
								404,
								`No RouteRule of gateway ${caller.gateway} takes this request.\n`,
							),
						},
					],
				},
			],
		},
		originsOf(rules),
		clustersOf(rules),
	);
}
