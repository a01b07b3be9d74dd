import type { KubeConnection, KubeResponse } from "./connection.ts";

/**
 * The API server's answer to `/version`, which everybody may read who has credentials; its body is to be read.
 *
 * Fails when: no answer comes within ten seconds.
 */
export function askVersion(
	connection: KubeConnection,
	signal: AbortSignal,
): Promise<KubeResponse> {
	return connection.request(
		{ method: "GET", path: "/version", timeoutMs: 10_000, silenceMs: 10_000 },
		signal,
	);
}
