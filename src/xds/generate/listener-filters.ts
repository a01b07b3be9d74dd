import type {
	ListenerFilterChainMatchPredicateSchema,
	ListenerFilterSchema,
} from "../../gen/envoy/envoy/config/listener/v3/listener_components_pb.js";
import { HttpInspectorSchema } from "../../gen/envoy/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js";
import { OriginalDstSchema } from "../../gen/envoy/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js";
import { TlsInspectorSchema } from "../../gen/envoy/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import { pack } from "./encode.ts";
import type { Init } from "./init.ts";

/** A listener filter, before encoding. */
export type ListenerFilter = Init<typeof ListenerFilterSchema>;
type Predicate = Init<typeof ListenerFilterChainMatchPredicateSchema>;

/** Recovers the address that the client asked for before iptables changed it. */
export const originalDestination: ListenerFilter = {
	name: "envoy.filters.listener.original_dst",
	configType: { case: "typedConfig", value: pack(OriginalDstSchema, {}) },
};

/** Tells TLS and its server name from plain text. */
export const tlsInspector: ListenerFilter = {
	name: "envoy.filters.listener.tls_inspector",
	configType: { case: "typedConfig", value: pack(TlsInspectorSchema, {}) },
};

/** Tells HTTP from other plain text. */
export const httpInspector: ListenerFilter = {
	name: "envoy.filters.listener.http_inspector",
	configType: { case: "typedConfig", value: pack(HttpInspectorSchema, {}) },
};

/** What the HTTP inspector calls the versions of HTTP that a connection manager takes. */
export const plainHttp = {
	transportProtocol: "raw_buffer",
	applicationProtocols: ["http/1.0", "http/1.1", "h2c"],
};

/** The filter for connections to one of these ports; others pass it by. */
export function onlyOnPorts(
	filter: ListenerFilter,
	ports: readonly number[],
): ListenerFilter {
	return {
		...filter,
		filterDisabled: { rule: { case: "notMatch", value: isOneOf(ports) } },
	};
}

/** The filter for connections to other ports than these. */
export function exceptOnPorts(
	filter: ListenerFilter,
	ports: readonly number[],
): ListenerFilter {
	return ports.length === 0
		? filter
		: { ...filter, filterDisabled: isOneOf(ports) };
}

function isOneOf(ports: readonly number[]): Predicate {
	const rules = ports.map(
		(port): Predicate => ({
			rule: {
				case: "destinationPortRange",
				value: { start: port, end: port + 1 },
			},
		}),
	);
	const [only] = rules;
	// A set must have two members at least.
	return rules.length === 1 && only
		? only
		: { rule: { case: "orMatch", value: { rules } } };
}
