import { isRecord } from "../api/fields.ts";
import { askVersion } from "./ask-version.ts";
import type { KubeConnection } from "./connection.ts";
import { KubeError } from "./kube-error.ts";

/** Which Kubernetes an API server is: 1.35 is `{ major: 1, minor: 35 }`. */
export interface KubernetesVersion {
	readonly major: number;
	readonly minor: number;
}

/**
 * Asks an API server for its version.
 *
 * Fails when: no answer comes, or it says none.
 */
export async function serverVersion(
	connection: KubeConnection,
	signal: AbortSignal,
): Promise<KubernetesVersion> {
	const response = await askVersion(connection, signal);
	const version = parseServerVersion(await response.text());
	if (version === undefined)
		throw new KubeError(
			"KUBE_FAILED",
			"The API server does not say its version. See that it is one.",
		);
	return version;
}

/** Reads the answer to `/version`; undefined when it says none. */
export function parseServerVersion(
	text: string,
): KubernetesVersion | undefined {
	let answer: unknown;
	try {
		answer = JSON.parse(text);
	} catch {
		return undefined;
	}
	if (!isRecord(answer)) return undefined;
	// Some providers append a plus sign.
	const [, major] = /^(\d+)/.exec(String(answer["major"])) ?? [];
	const [, minor] = /^(\d+)/.exec(String(answer["minor"])) ?? [];
	return major === undefined || minor === undefined
		? undefined
		: { major: Number(major), minor: Number(minor) };
}
