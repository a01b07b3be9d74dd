/** Who is at the other end of a connection, as far as the transport knows. */
export interface Peer {
	/** Address and port, or the path of a Unix socket. */
	readonly address: string;
	/** The bearer token of the call, if it carried one; never logged. */
	readonly bearerToken: string | undefined;
}

/** A request as an HTTP edge sees it: no type of any HTTP library. */
export interface HttpRequest {
	readonly method: string;
	/** Path without the query, percent-decoded once. */
	readonly path: string;
	readonly query: URLSearchParams;
	readonly headers: ReadonlyMap<string, string>;
	readonly body: Uint8Array;
	readonly peer: Peer;
}

/** The answer of an HTTP edge; an iterable body is streamed. */
export interface HttpResponse {
	readonly status: number;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

/** An HTTP edge is a function; only src/net knows about sockets. */
export type HttpHandler = (
	request: HttpRequest,
	signal: AbortSignal,
) => Promise<HttpResponse>;

/** A gRPC stream edge is an async generator from requests to responses. */
export type StreamHandler<Req, Res> = (
	requests: AsyncIterable<Req>,
	peer: Peer,
	signal: AbortSignal,
) => AsyncIterable<Res>;
