import { CorsSchema } from "../../gen/envoy/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import { FilterConfigSchema as DynamicForwardProxySchema } from "../../gen/envoy/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.js";
import { HTTPFaultSchema } from "../../gen/envoy/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import { RouterSchema } from "../../gen/envoy/envoy/extensions/filters/http/router/v3/router_pb.js";
import type { HttpFilterSchema } from "../../gen/envoy/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { dnsCacheConfig } from "./dns-cache.ts";
import { pack } from "./encode.ts";
import type { Init } from "./init.ts";

type HttpFilter = Init<typeof HttpFilterSchema>;

/** Names of HTTP filters: the keys of a route's `typed_per_filter_config`. */
export const filterNames = {
	cors: "envoy.filters.http.cors",
	fault: "envoy.filters.http.fault",
	dynamicForwardProxy: "envoy.filters.http.dynamic_forward_proxy",
	router: "envoy.filters.http.router",
} as const;

const cors = filter(filterNames.cors, pack(CorsSchema, {}));
const fault = filter(filterNames.fault, pack(HTTPFaultSchema, {}));
const dynamicForwardProxy = filter(
	filterNames.dynamicForwardProxy,
	pack(DynamicForwardProxySchema, {
		implementationSpecifier: { case: "dnsCacheConfig", value: dnsCacheConfig },
	}),
);
const router = filter(filterNames.router, pack(RouterSchema, {}));

/**
 * The HTTP filters of each kind of connection manager, in the order in which a
 * request meets them. Filters that routes configure are always there, so that
 * the first rule that needs one changes a route and not a listener.
 */
export const httpFilters: {
	readonly [use in "outbound" | "forwardProxy" | "inbound"]: HttpFilter[];
} = {
	// CORS answers preflights itself, so a fault must not hide it.
	outbound: [cors, fault, router],
	forwardProxy: [cors, fault, dynamicForwardProxy, router],
	inbound: [router],
};

function filter(name: string, config: ReturnType<typeof pack>): HttpFilter {
	return { name, configType: { case: "typedConfig", value: config } };
}
