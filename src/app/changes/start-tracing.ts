import type { Clock } from "../../lib/clock.ts";
import { request } from "../../net/http-client.ts";
import type { Logger } from "../../observability/logger.ts";
import type { MetricsRegistry } from "../../observability/metrics.ts";
import { readOtlpTarget } from "../../observability/tracing/otlp-target.ts";
import type { SpanSink } from "../../observability/tracing/span.ts";
import { SpanExporter } from "../../observability/tracing/span-exporter.ts";
import { programVersion } from "../../settings/program-version.ts";
import type { ServeSettings } from "../lifecycle/serve-settings.ts";
import type { Stops } from "../lifecycle/stops.ts";

/** What tracing is started with. */
export interface TracingParts {
	readonly settings: Pick<ServeSettings, "otlpEndpoint" | "tracesPerMinute">;
	/** The variables of the process, of which OpenTelemetry's are read. */
	readonly environment: Readonly<Record<string, string | undefined>>;
	/** Tells this process from others of the same service. */
	readonly instance: string;
	/** What else there is to say about this process, by the names of OpenTelemetry. */
	readonly resource?: Readonly<Record<string, string>>;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/** Sends traces to the collector that settings or variables name; undefined when none do. */
export function startTracing(
	parts: TracingParts,
	stops: Stops,
): SpanSink | undefined {
	const { settings, environment, clock, metrics } = parts;
	const logger = parts.logger.child({ part: "traces" });
	const { target, problems } = readOtlpTarget(
		environment,
		settings.otlpEndpoint,
	);
	for (const problem of problems)
		logger.warn("A setting of traces cannot be used.", { problem });
	if (target === undefined) return undefined;
	logger.info("Changes are traced.", {
		collector: withoutSecrets(target.url),
		perMinute: settings.tracesPerMinute,
	});
	const { pathname, search, origin } = new URL(target.url);
	return stops.own(
		new SpanExporter({
			post: async (body, signal) => {
				const answer = await request(
					{
						server: { url: origin },
						method: "POST",
						path: `${pathname}${search}`,
						headers: { ...target.headers, "content-type": "application/json" },
						body,
						timeoutMs: target.timeoutMs,
					},
					signal,
				);
				return { status: answer.status, body: await answer.text() };
			},
			origin: {
				resource: {
					"service.version": programVersion,
					"service.instance.id": parts.instance,
					...parts.resource,
					...target.resource,
				},
				version: programVersion,
			},
			tracesPerMinute: settings.tracesPerMinute,
			clock,
			logger,
			metrics,
		}),
	);
}

/** Some write a password into a URL. */
function withoutSecrets(text: string): string {
	const url = new URL(text);
	url.username = "";
	url.password = "";
	url.search = "";
	return url.href;
}
