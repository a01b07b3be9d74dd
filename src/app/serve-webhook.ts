import { maxReviewBytes } from "../admission/answer-reviews.ts";
import { admissionApi } from "../admission/http.ts";
import {
	type InjectionContexts,
	injectionApi,
	mutatePath,
} from "../admission/inject-http.ts";
import type { MeshPreview } from "../admission/mesh-preview.ts";
import type { Clock } from "../lib/clock.ts";
import type { HttpHandler } from "../lib/handler.ts";
import type { Signal } from "../lib/signal.ts";
import type { TlsMaterial } from "../lib/tls-material.ts";
import type { Address } from "../net/address.ts";
import { type HttpServer, serveHttp } from "../net/http-server.ts";
import type { Logger } from "../observability/logger.ts";
import type { MetricsRegistry } from "../observability/metrics.ts";
import { besideReaders } from "./cluster/readers-handler.ts";

/** What the webhook is served with. */
export interface WebhookParts {
	readonly listen: Address;
	readonly material: Signal<TlsMaterial | undefined>;
	readonly preview: MeshPreview;
	/** What new pods are injected with. */
	readonly contexts: InjectionContexts;
	/** The admin API for readers, on the same port; see `readersHandler`. */
	readonly readers?: HttpHandler;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/** Serves the webhooks over TLS; disposing of it answers what was asked and ends. */
export function serveWebhook({
	listen,
	material,
	preview,
	contexts,
	readers,
	clock,
	logger,
	metrics,
}: WebhookParts): Promise<HttpServer> {
	const log = logger.child({ part: "admission" });
	const shared = { clock, logger: log, metrics };
	const validation = admissionApi({ preview, ...shared });
	const injection = injectionApi({ contexts, ...shared });
	const admission: HttpHandler = (request, signal) =>
		request.path === mutatePath
			? injection(request, signal)
			: validation(request, signal);
	return serveHttp({
		listen,
		tls: material,
		handler:
			readers === undefined ? admission : besideReaders(readers, admission),
		limits: {
			// Whoever can reach the port can send this much: 512 MiB together, for five seconds.
			maxBodyBytes: maxReviewBytes,
			maxConnections: 128,
			headersMs: 5000,
			requestMs: 5000,
			// API servers close an idle connection after 90 s; if we were first, a question on its way would be lost.
			keepAliveMs: 120_000,
			// They wait no longer for an answer than the webhook's `timeoutSeconds`.
			stopMs: 2000,
		},
		log,
	});
}
