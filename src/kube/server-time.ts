import { askVersion } from "./ask-version.ts";
import type { KubeConnection } from "./connection.ts";
import { KubeError } from "./kube-error.ts";

/**
 * The API server's time, to the second: milliseconds since the epoch.
 *
 * Fails when: no answer comes, or it has no date.
 */
export async function serverTime(
	connection: KubeConnection,
	signal: AbortSignal,
): Promise<number> {
	const response = await askVersion(connection, signal);
	await response.text();
	const nowMs = Date.parse(response.headers.get("date") ?? "");
	if (Number.isNaN(nowMs))
		throw new KubeError(
			"KUBE_FAILED",
			"The API server's answer has no date. See that nothing before the API server takes the Date header out.",
		);
	return nowMs;
}
