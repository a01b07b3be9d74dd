import type { Clock } from "../lib/clock.ts";
import {
	type MetricsRegistry,
	slowSecondsBuckets,
} from "../observability/metrics.ts";
import type { KubeConnection, KubeRequest } from "./connection.ts";
import { KubeError } from "./kube-error.ts";

/** What a request asks for, as the API server's own figures call it. */
type Verb = "get" | "watch" | "create" | "update" | "patch" | "delete";

/** The same way to the API server, with figures about what is asked and answered. */
export function measuredConnection(
	connection: KubeConnection,
	metrics: MetricsRegistry,
	clock: Clock,
): KubeConnection {
	const requests = metrics.counter(
		"lateen_kube_requests_total",
		"Requests to the API server, by verb and by the status of the answer, or the error code where none came.",
		["verb", "code"],
	);
	const seconds = metrics.histogram(
		"lateen_kube_request_seconds",
		"Time until the API server's answer began, by verb; of requests that were answered.",
		slowSecondsBuckets,
		["verb"],
	);
	return {
		server: connection.server,
		async request(request, signal) {
			const verb = verbOf(request);
			const startMs = clock.monotonicMs();
			try {
				const response = await connection.request(request, signal);
				seconds.observe((clock.monotonicMs() - startMs) / 1000, { verb });
				requests.add(1, { verb, code: String(response.status) });
				return response;
			} catch (error) {
				if (error instanceof KubeError)
					requests.add(1, { verb, code: error.code });
				throw error;
			}
		},
		[Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
	};
}

function verbOf({ method, query }: KubeRequest): Verb {
	switch (method) {
		case "GET":
			return query?.["watch"] === undefined ? "get" : "watch";
		case "POST":
			return "create";
		case "PUT":
			return "update";
		case "PATCH":
			return "patch";
		case "DELETE":
			return "delete";
	}
}
