import type { FilterSchema } from "../../gen/envoy/envoy/config/listener/v3/listener_components_pb.js";
import {
	HttpConnectionManagerSchema,
	type HttpConnectionManagerSchema as ManagerSchema,
	HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from "../../gen/envoy/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { adsConfigSource } from "./cluster.ts";
import { defaults } from "./defaults.ts";
import { duration } from "./duration.ts";
import { pack } from "./encode.ts";
import { httpFilters } from "./filter-order.ts";
import type { Init } from "./init.ts";
import { inboundLocalReplies, localReplies } from "./local-replies.ts";
import { statName } from "./names.ts";
import type { RouteConfigurationInit } from "./route-configuration.ts";

/** What a connection manager is for, which decides what it trusts and what it may do. */
export type HttpUse = "outbound" | "forwardProxy" | "inbound" | "gateway";

/** Where the routes of a connection manager come from. */
export type RouteSource =
	| { readonly kind: "rds"; readonly name: string }
	| { readonly kind: "inline"; readonly routes: RouteConfigurationInit };

/** A network filter, before encoding. */
export type NetworkFilter = Init<typeof FilterSchema>;

/** The network filter that speaks HTTP. */
export function httpConnectionManager(
	use: HttpUse,
	statPrefix: string,
	routes: RouteSource,
): NetworkFilter {
	return {
		name: "envoy.filters.network.http_connection_manager",
		configType: {
			case: "typedConfig",
			value: pack(
				HttpConnectionManagerSchema,
				manager(use, statPrefix, routes),
			),
		},
	};
}

function manager(
	use: HttpUse,
	statPrefix: string,
	routes: RouteSource,
): Init<typeof ManagerSchema> {
	return {
		statPrefix: statName(statPrefix),
		routeSpecifier:
			routes.kind === "rds"
				? {
						case: "rds",
						value: {
							configSource: adsConfigSource,
							routeConfigName: routes.name,
						},
					}
				: { case: "routeConfig", value: routes.routes },
		httpFilters: httpFilters[use === "gateway" ? "outbound" : use],
		normalizePath: true,
		maxRequestHeadersKb: defaults.maxRequestHeadersKb,
		streamIdleTimeout: duration(
			// The caller's proxy watches, and knows what a rule says; it is not to be cut shorter here.
			use === "inbound" ? 0 : defaults.streamIdleTimeoutMs,
		),
		// A pod that goes has few seconds to end the connections that nobody uses.
		...(use === "inbound" && {
			drainTimeout: duration(defaults.idleCloseMs),
		}),
		upgradeConfigs: [
			{ upgradeType: "websocket" },
			// Only routes that ask for CONNECT match it; the others leave it unanswered with 404.
			{ upgradeType: "CONNECT" },
		],
		// Old clients, and nginx as a reverse proxy, still speak it.
		httpProtocolOptions: { acceptHttp10: true },
		// `reviews.default.svc.cluster.local.` is how a fully qualified name is written.
		stripTrailingHostDot: true,
		http2ProtocolOptions: {
			allowConnect: true,
			connectionKeepalive: {
				interval: duration(defaults.http2KeepaliveIntervalMs),
				timeout: duration(defaults.http2KeepaliveTimeoutMs),
			},
		},
		localReplyConfig: use === "inbound" ? inboundLocalReplies : localReplies,
		...(use === "gateway" ? edge : within),
	};
}

/** Inside the mesh the peer is a proxy of ours or the application: what it says about the request is kept. */
const within: Init<typeof ManagerSchema> = {
	useRemoteAddress: false,
	preserveExternalRequestId: true,
	serverHeaderTransformation: ServerHeader.PASS_THROUGH,
};

/** At the edge nothing that a client says about itself is believed. */
const edge: Init<typeof ManagerSchema> = {
	useRemoteAddress: true,
	mergeSlashes: true,
	requestHeadersTimeout: duration(defaults.requestHeadersTimeoutMs),
	serverHeaderTransformation: ServerHeader.PASS_THROUGH,
};
