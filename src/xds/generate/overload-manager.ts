import type { JsonObject } from "../json.ts";
import { defaults } from "./defaults.ts";

/** What one Envoy process takes on at most. */
export interface ProcessLimits {
	/** Ceiling of connections from clients, for the whole process; 50,000 by default. */
	readonly maxConnections?: number;
	/** Heap at which Envoy begins to shed load; no such guard by default, since only the installer knows the memory limit. */
	readonly maxHeapBytes?: number;
}

const types = "type.googleapis.com/envoy.extensions.resource_monitors";

/** The part of a bootstrap that keeps an Envoy within these limits. */
export function overloadManager(limits: ProcessLimits): JsonObject {
	const { maxConnections = defaults.maxDownstreamConnections, maxHeapBytes } =
		limits;
	const monitors: JsonObject[] = [
		{
			name: "envoy.resource_monitors.global_downstream_max_connections",
			typed_config: {
				"@type": `${types}.downstream_connections.v3.DownstreamConnectionsConfig`,
				max_active_downstream_connections: maxConnections,
			},
		},
	];
	if (maxHeapBytes === undefined) return { resource_monitors: monitors };
	const heap = "envoy.resource_monitors.fixed_heap";
	monitors.push({
		name: heap,
		typed_config: {
			"@type": `${types}.fixed_heap.v3.FixedHeapConfig`,
			max_heap_size_bytes: maxHeapBytes,
		},
	});
	return {
		refresh_interval: "1s",
		resource_monitors: monitors,
		actions: [
			{
				name: "envoy.overload_actions.shrink_heap",
				triggers: [{ name: heap, threshold: { value: 0.9 } }],
			},
			{
				name: "envoy.overload_actions.stop_accepting_requests",
				triggers: [{ name: heap, threshold: { value: 0.97 } }],
			},
		],
	};
}
