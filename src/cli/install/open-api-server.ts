import type { Json } from "../../injector/json.ts";
import type { KubeConnection, KubeRequest } from "../../kube/connection.ts";
import { type Asked, errorOf } from "../../kube/error-of.ts";
import { loadKubeConfig } from "../../kube/kube-config.ts";
import { ObjectClient } from "../../kube/object-client.ts";
import { openConnection } from "../../kube/open-connection.ts";
import { systemClock } from "../../lib/system-clock.ts";
import { programVersion } from "../../settings/program-version.ts";
import type { Environment } from "../../settings/read-settings.ts";

/** Time for an answer: with webhooks that are silent it takes long. Milliseconds. */
const answerMs = 30_000;

/** An API server that is asked with the rights of whoever calls. */
export interface ApiServer extends AsyncDisposable {
	readonly connection: KubeConnection;
	readonly client: ObjectClient;
	/**
	 * What would be stored if this were, which it is not.
	 *
	 * Fails when: the server says no, or none answers; then with a `KubeError`.
	 */
	tryWrite(request: KubeRequest, asked: Asked): Promise<Json>;
	/** Which it is, for people. */
	readonly asked: string;
}

/**
 * Opens the way to the API server of a kubeconfig; nothing is asked of it yet.
 *
 * Fails when: there is no kubeconfig, or it cannot be used; then with a `KubeError`.
 */
export async function openApiServer({
	kubeconfig,
	context,
	environment,
}: {
	readonly kubeconfig: string | undefined;
	readonly context: string | undefined;
	readonly environment: Environment;
}): Promise<ApiServer> {
	const access = await loadKubeConfig({
		...(kubeconfig !== undefined && { kubeconfig }),
		...(context !== undefined && { context }),
		environment,
		clock: systemClock,
	});
	const connection = openConnection(access, {
		clock: systemClock,
		userAgent: `lateen/${programVersion}`,
	});
	return {
		connection,
		client: new ObjectClient(connection),
		tryWrite: (request, asked) => tryWrite(connection, request, asked),
		asked:
			access.context === undefined
				? `the API server at ${access.server}`
				: `the context ${access.context} (${access.server})`,
		[Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
	};
}

async function tryWrite(
	connection: KubeConnection,
	request: KubeRequest,
	asked: Asked,
): Promise<Json> {
	const response = await connection.request(
		{
			...request,
			query: { ...request.query, dryRun: "All", fieldValidation: "Strict" },
			...{ timeoutMs: answerMs, silenceMs: answerMs },
		},
		new AbortController().signal,
	);
	const text = await response.text();
	const { status, headers } = response;
	if (status >= 400) throw errorOf({ status, headers, text }, asked);
	return JSON.parse(text) as Json;
}
