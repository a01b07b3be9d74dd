import { startEmbedded } from "./embedded.ts";
import { parseSource } from "./lifecycle/places.ts";
import type { RunningServer, ServerTools } from "./lifecycle/running-server.ts";
import type { ServeSettings } from "./lifecycle/serve-settings.ts";

/**
 * Starts the server in the mode that the source asks for, and answers when it is ready.
 *
 * Guarantees: when the start fails or is aborted, nothing is left running.
 * Fails when: a setting cannot be used, an address is taken, or another server
 *   has the state directory; then with a `CodedError`.
 */
export async function startServer(
	settings: ServeSettings,
	tools: ServerTools,
): Promise<RunningServer> {
	const source = parseSource(settings.source);
	switch (source.kind) {
		case "directory":
			return startEmbedded(source.path, settings, tools);
		case "kubernetes": {
			// What talks to an API server is loaded only where there is one.
			const { startCluster } = await import("./cluster.ts");
			return startCluster(settings, tools);
		}
	}
}
