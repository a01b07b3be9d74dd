/** One request to the API server. */
export interface KubeRequest {
	readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
	/** Absolute, without the query: `/apis/lateen.dev/v1alpha1/routerules`. */
	readonly path: string;
	readonly query?: Readonly<Record<string, string>>;
	/** By default `application/json`. */
	readonly accept?: string;
	/** By default `application/json` when there is a body. */
	readonly contentType?: string;
	/** Sent besides, by lower-case name. */
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | Uint8Array;
	/** Time for the headers of the answer to come. Milliseconds; 30 s by default. */
	readonly timeoutMs?: number;
	/** How long the body may be silent before it fails with `KUBE_SILENT`. Milliseconds; by default no limit. */
	readonly silenceMs?: number;
}

/** The answer, whatever its status. */
export interface KubeResponse {
	readonly status: number;
	/** By lower-case name. */
	readonly headers: ReadonlyMap<string, string>;
	/** The body as it comes, uncompressed; to be read once, by this or by `text`. */
	readonly body: AsyncIterable<Uint8Array>;
	/** The whole body, decoded as UTF-8; fails when it is larger than any answer should be. */
	text(): Promise<string>;
}

/**
 * The way to an API server: knows its address, its CA and our credentials.
 *
 * Guarantees: every request carries fresh credentials; after a 401 they are
 *   loaded again and, when they are others now, the server is asked once more
 *   before the 401 is passed on.
 */
export interface KubeConnection extends AsyncDisposable {
	/** `https://127.0.0.1:6443`, for messages. */
	readonly server: string;
	/**
	 * Sends one request; an answer of any status is an answer.
	 *
	 * Fails when: no answer comes, with a `KubeError`; `signal` is aborted, with its reason.
	 */
	request(request: KubeRequest, signal: AbortSignal): Promise<KubeResponse>;
}
