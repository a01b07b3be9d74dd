import { isRecord } from "../api/fields.ts";
import type { KubeConnection } from "./connection.ts";
import { errorOf } from "./error-of.ts";
import { KubeError } from "./kube-error.ts";
import { readFailure } from "./read-bounded.ts";
import type { KubeResource } from "./resources.ts";

/**
 * The versions at which the server offers a kind for list and watch, the one
 * that it prefers first; none when it does not know the kind.
 *
 * Fails when: the server cannot be asked; then with a `KubeError`.
 */
export async function discoverVersions(
	connection: KubeConnection,
	resource: KubeResource,
	signal: AbortSignal,
): Promise<readonly string[]> {
	const get = (path: string) => read(connection, path, resource, signal);
	const { group } = resource;
	const root = group === "" ? "/api" : `/apis/${group}`;
	const versions =
		group === "" ? [resource.version] : versionsIn(await get(root));
	const offered: string[] = [];
	for (const version of versions) {
		const list = await get(`${root}/${version}`);
		if (offers(list, resource.plural)) offered.push(version);
	}
	return offered;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/definitions/api-group-v1-meta/ */
function versionsIn(group: unknown): readonly string[] {
	if (!isRecord(group)) return [];
	const { versions, preferredVersion } = group;
	const named = [preferredVersion, ...(Array.isArray(versions) ? versions : [])]
		.map((one: unknown) => (isRecord(one) ? one["version"] : undefined))
		.filter((version) => typeof version === "string");
	return [...new Set(named)];
}

function offers(list: unknown, plural: string): boolean {
	const all = isRecord(list) ? list["resources"] : undefined;
	if (!Array.isArray(all)) return false;
	return all.some((one: unknown) => {
		if (!isRecord(one) || one["name"] !== plural) return false;
		const { verbs } = one;
		return (
			Array.isArray(verbs) && verbs.includes("list") && verbs.includes("watch")
		);
	});
}

/** Undefined when there is no such group or version. */
async function read(
	connection: KubeConnection,
	path: string,
	resource: KubeResource,
	signal: AbortSignal,
): Promise<unknown> {
	const response = await connection.request({ method: "GET", path }, signal);
	if (response.status === 200) return parseJson(await response.text());
	const text = await readFailure(response.body);
	if (response.status === 404) return undefined;
	const { status, headers } = response;
	throw errorOf(
		{ status, headers, text },
		{ verb: "list", resource, namespace: "" },
	);
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch (cause) {
		throw new KubeError(
			"KUBE_FAILED",
			"What the API server says of its kinds is not JSON. Look at what stands before it.",
			{ cause },
		);
	}
}
