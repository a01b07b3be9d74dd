import { type BootstrapInput, generateBootstrap } from "./bootstrap.ts";
import type { JsonObject } from "./json.ts";

/** What the bootstrap of a captured sidecar in a Kubernetes cluster is made from. */
export interface SidecarInput
	extends Pick<
		BootstrapInput,
		| "workload"
		| "maxHeapBytes"
		| "drainFile"
		| "adminPort"
		| "tokenFile"
		| "tokenSdsFile"
	> {
	/** The control plane; its certificate must have the host. */
	readonly server: { readonly host: string; readonly port: number };
	readonly caFile: string;
	readonly caSdsFile: string;
}

/** The bootstrap of a captured sidecar in a Kubernetes cluster. */
export function sidecarBootstrap(input: SidecarInput): JsonObject {
	return filesOf(input).bootstrap;
}

/** The files that lead Envoy to its token and to the authorities; the same for all sidecars whose files are at the same places. */
export function sidecarSecretFiles(
	input: Pick<
		SidecarInput,
		"tokenFile" | "tokenSdsFile" | "caFile" | "caSdsFile"
	>,
): { readonly tokenSds: JsonObject; readonly caSds: JsonObject } {
	const { tokenSds, caSds = {} } = filesOf({
		...input,
		workload: "",
		adminPort: 0,
		server: { host: "", port: 0 },
	});
	return { tokenSds, caSds };
}

function filesOf(input: SidecarInput) {
	const { caFile, caSdsFile, server, ...rest } = input;
	return generateBootstrap({
		...rest,
		kind: "sidecar",
		attachment: "captured",
		addresses: { inbound: [], tcp: [], gateway: [] },
		server,
		tls: { caFile, caSdsFile, serverName: server.host },
	});
}
