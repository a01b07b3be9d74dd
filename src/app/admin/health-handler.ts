import type { HttpHandler } from "../../lib/handler.ts";

/** What may be asked at an address that others can reach. */
const openPaths: ReadonlySet<string> = new Set([
	"/healthz",
	"/readyz",
	"/metrics",
]);

/** The part of the admin API that tells nothing about objects and proxies. */
export function healthHandler(admin: HttpHandler): HttpHandler {
	return async (request, signal) =>
		openPaths.has(request.path) && request.method === "GET"
			? admin(request, signal)
			: {
					status: 404,
					headers: { "content-type": "text/plain; charset=utf-8" },
					body: "There is only /healthz, /readyz and /metrics here.\n",
				};
}
