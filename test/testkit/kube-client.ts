import type {
	KubeConnection,
	KubeRequest,
	KubeResponse,
} from "../../src/kube/connection.ts";
import { loadKubeConfig } from "../../src/kube/kube-config.ts";
import { openConnection } from "../../src/kube/open-connection.ts";
import { systemClock } from "../../src/lib/system-clock.ts";

/** A connection to a real API server that a test can look at and break. */
export class ObservedConnection implements KubeConnection {
	readonly #inner: KubeConnection;
	/** Every request that was made, in order. */
	readonly requests: KubeRequest[] = [];
	/** Waits before a request is sent. */
	delay: (request: KubeRequest) => Promise<void> = () => Promise.resolve();

	constructor(inner: KubeConnection) {
		this.#inner = inner;
	}

	get server(): string {
		return this.#inner.server;
	}

	/** How many requests wrote something. */
	get writes(): number {
		return this.requests.filter(({ method }) => method !== "GET").length;
	}

	async request(
		request: KubeRequest,
		signal: AbortSignal,
	): Promise<KubeResponse> {
		this.requests.push(request);
		await this.delay(request);
		return await this.#inner.request(request, signal);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#inner[Symbol.asyncDispose]();
	}
}

/** Connects as the user of a kubeconfig, or as somebody whom that user may act as. */
export async function connectTo(
	kubeconfig: string,
	actsAs?: string,
): Promise<ObservedConnection> {
	const access = await loadKubeConfig({
		kubeconfig,
		environment: {},
		clock: systemClock,
	});
	const headers =
		actsAs === undefined
			? access.headers
			: { ...access.headers, "impersonate-user": actsAs };
	return new ObservedConnection(
		openConnection(
			{ ...access, headers },
			{ clock: systemClock, userAgent: "lateen/test" },
		),
	);
}
