import { serverVersion } from "../../kube/server-version.ts";
import type { Said } from "./finding.ts";
import type { ApiServer } from "./open-api-server.ts";

/** The first that has all that the manifests say: `sleep` of a preStop hook, and match conditions of webhooks. Earlier ones refuse the Deployment. */
const oldestMinor = 30;

/** Whether the API server is recent enough. */
export async function checkServerVersion({
	connection,
}: ApiServer): Promise<readonly Said[]> {
	const { major, minor } = await serverVersion(
		connection,
		new AbortController().signal,
	);
	const isOld = major < 1 || (major === 1 && minor < oldestMinor);
	return [
		isOld
			? {
					verdict: "problem",
					message: `It is Kubernetes ${major}.${minor}; the manifests need 1.${oldestMinor} or later.`,
				}
			: { verdict: "ok", message: `It is Kubernetes ${major}.${minor}.` },
	];
}
