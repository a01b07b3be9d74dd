import type { Clock } from "../../lib/clock.ts";
import type { Signal } from "../../lib/signal.ts";
import type { TlsMaterial } from "../../lib/tls-material.ts";
import type { Address } from "../../net/address.ts";
import { type GrpcServer, serveGrpc } from "../../net/grpc-server.ts";
import type { Logger } from "../../observability/logger.ts";
import type { MetricsRegistry } from "../../observability/metrics.ts";
import { adsMethods } from "../../xds/server/ads.ts";
import type { AdsOptions } from "../../xds/server/ads-options.ts";
import type { ServeSettings } from "../lifecycle/serve-settings.ts";
import type { Pipeline } from "../mesh-pipeline.ts";
import { addXdsMetrics } from "../metrics/xds-metrics.ts";

/** Who serves proxies, where, and whom. */
export interface ProxyServerParts {
	readonly listen: Address;
	readonly pipeline: Pipeline;
	/** TLS with this; without, what is sent can be read on the way. */
	readonly tls?: Signal<TlsMaterial | undefined>;
	readonly authenticate: AdsOptions["authenticate"];
	readonly settings: ServeSettings;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/**
 * Listens for proxies.
 *
 * Fails when: the address cannot be had; then with a `ListenError`.
 */
export function serveProxies(parts: ProxyServerParts): Promise<GrpcServer> {
	const { pipeline, settings, metrics } = parts;
	const { catalog, connected, proof, changes } = pipeline;
	const figures = addXdsMetrics(metrics, connected);
	const log = parts.logger.child({ part: "xds" });
	return serveGrpc({
		listen: parts.listen,
		...(parts.tls !== undefined && { tls: parts.tls }),
		methods: adsMethods({
			directory: catalog,
			authenticate: parts.authenticate,
			connected,
			proof,
			clock: parts.clock,
			log,
			figures: {
				...figures,
				sent: (type, resources, bytes) => {
					figures.sent(type, resources, bytes);
					changes.sent();
				},
			},
			limits: {
				maxNames: settings.maxNamesPerSubscription,
				removalDelayMs: settings.removalDelay,
			},
		}),
		limits: {
			maxStreams: settings.maxStreams,
			maxRequestBytes: settings.maxMessageSize,
			blockedWriteMs: settings.maxBlockedTime,
			stopMs: settings.stopTimeout,
		},
		log,
	});
}
