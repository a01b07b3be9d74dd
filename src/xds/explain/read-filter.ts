import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { FilterChain } from "../../gen/envoy/envoy/config/listener/v3/listener_components_pb.js";
import {
	type HttpConnectionManager,
	HttpConnectionManagerSchema,
} from "../../gen/envoy/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import {
	type TcpProxy,
	TcpProxySchema,
} from "../../gen/envoy/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";

/** What stands at the end of a filter chain. */
export type LastFilter =
	| { readonly kind: "http"; readonly manager: HttpConnectionManager }
	| { readonly kind: "tcp"; readonly proxy: TcpProxy };

/** Reads what a filter chain does with its connections; undefined when it does nothing that we generate. */
export function readFilter(chain: FilterChain): LastFilter | undefined {
	for (const { configType } of chain.filters) {
		if (configType.case !== "typedConfig") continue;
		const manager = anyUnpack(configType.value, HttpConnectionManagerSchema);
		if (manager !== undefined) return { kind: "http", manager };
		const proxy = anyUnpack(configType.value, TcpProxySchema);
		if (proxy !== undefined) return { kind: "tcp", proxy };
	}
	return undefined;
}
