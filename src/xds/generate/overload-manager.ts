import type { JsonObject } from "../json.ts";
import { defaults } from "./defaults.ts";

/** What one Envoy process takes on at most. */
export interface ProcessLimits {
	/** Ceiling of connections from clients, for the whole process; 50,000 by default. */
	readonly maxConnections?: number;
	/** Heap at which Envoy begins to shed load; no such guard by default, since only the installer knows the memory limit. */
	readonly maxHeapBytes?: number;
	/**
	 * Path of a file that says `1` once the process is about to end: connections
	 * from clients that nobody uses are closed then, and the next request finds
	 * another proxy. Need not be there before; it must come by a rename.
	 */
	readonly drainFile?: string;
}

const types = "type.googleapis.com/envoy.extensions.resource_monitors";

/** The part of a bootstrap that keeps an Envoy within these limits. */
export function overloadManager(limits: ProcessLimits): JsonObject {
	const {
		maxConnections = defaults.maxDownstreamConnections,
		maxHeapBytes,
		drainFile,
	} = limits;
	const actions: JsonObject[] = [];
	const monitors: JsonObject[] = [
		{
			name: "envoy.resource_monitors.global_downstream_max_connections",
			typed_config: {
				"@type": `${types}.downstream_connections.v3.DownstreamConnectionsConfig`,
				max_active_downstream_connections: maxConnections,
			},
		},
	];
	if (maxHeapBytes !== undefined) {
		const heap = "envoy.resource_monitors.fixed_heap";
		monitors.push({
			name: heap,
			typed_config: {
				"@type": `${types}.fixed_heap.v3.FixedHeapConfig`,
				max_heap_size_bytes: maxHeapBytes,
			},
		});
		actions.push(
			{
				name: "envoy.overload_actions.shrink_heap",
				triggers: [{ name: heap, threshold: { value: 0.9 } }],
			},
			{
				name: "envoy.overload_actions.stop_accepting_requests",
				triggers: [{ name: heap, threshold: { value: 0.97 } }],
			},
		);
	}
	if (drainFile !== undefined) {
		const drain = "envoy.resource_monitors.injected_resource";
		monitors.push({
			name: drain,
			typed_config: {
				"@type": `${types}.injected_resource.v3.InjectedResourceConfig`,
				filename: drainFile,
			},
		});
		actions.push({
			name: "envoy.overload_actions.reduce_timeouts",
			triggers: [{ name: drain, threshold: { value: 1 } }],
			typed_config: {
				"@type":
					"type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig",
				timer_scale_factors: [
					{
						timer: "HTTP_DOWNSTREAM_CONNECTION_IDLE",
						min_timeout: `${defaults.drainIdleTimeoutMs / 1000}s`,
					},
				],
			},
		});
	}
	if (actions.length === 0) return { resource_monitors: monitors };
	return { refresh_interval: "1s", resource_monitors: monitors, actions };
}
