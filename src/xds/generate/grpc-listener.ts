import { HTTPFaultSchema } from "../../gen/envoy/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import { RouterSchema } from "../../gen/envoy/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpConnectionManagerSchema } from "../../gen/envoy/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { CallerRule } from "../../mesh/caller.ts";
import type { Service, ServicePort } from "../../mesh/service.ts";
import type { Resource } from "../resource.ts";
import { pack } from "./encode.ts";
import { filterNames } from "./filter-order.ts";
import { listenerResource } from "./listener.ts";
import { clusterName } from "./names.ts";
import {
	defaultRetryPolicy,
	defaultRoute,
	originsOf,
	type RouteInit,
	routesOf,
} from "./route.ts";

/**
 * The "listener" of a gRPC client that is its own proxy: its target's name, and
 * the routes in it. See gRPC proposals A27, A28, A33 for what clients take.
 */
export function grpcListener(
	target: string,
	service: Service,
	port: ServicePort,
	rules: readonly CallerRule[],
): Resource {
	const routes = rules
		.filter(
			({ rule }) => rule.layer === "http" && rule.action.kind === "forward",
		)
		.flatMap(routesOf);
	return listenerResource(
		{
			name: target,
			apiListener: {
				apiListener: pack(HttpConnectionManagerSchema, {
					statPrefix: target,
					httpFilters: [
						{
							name: filterNames.fault,
							configType: {
								case: "typedConfig",
								value: pack(HTTPFaultSchema, {}),
							},
						},
						{
							name: filterNames.router,
							configType: {
								case: "typedConfig",
								value: pack(RouterSchema, {}),
							},
						},
					],
					routeSpecifier: {
						case: "routeConfig",
						value: {
							name: target,
							virtualHosts: [
								{
									name: target,
									domains: ["*"],
									retryPolicy: defaultRetryPolicy,
									routes: [
										...routes.map(forGrpc),
										defaultRoute(
											clusterName(service.hostname, port.number, ""),
										),
									],
								},
							],
						},
					},
				}),
			},
		},
		[service.origin, ...originsOf(rules)],
	);
}

/** gRPC clients refuse settings of filters that they lack, and take their deadline from another field. */
function forGrpc(route: RouteInit): RouteInit {
	const fault = route.typedPerFilterConfig?.[filterNames.fault];
	const { typedPerFilterConfig: _, action, ...rest } = route;
	return {
		...rest,
		...(fault && { typedPerFilterConfig: { [filterNames.fault]: fault } }),
		...(action && { action: withDeadline(action) }),
	};
}

function withDeadline(
	action: NonNullable<RouteInit["action"]>,
): NonNullable<RouteInit["action"]> {
	if (action.case !== "route" || !action.value.timeout) return action;
	const { timeout } = action.value;
	if (timeout.seconds === 0n && !timeout.nanos) return action;
	return {
		case: "route",
		value: {
			...(action.value as object),
			maxStreamDuration: { maxStreamDuration: timeout },
		},
	};
}
