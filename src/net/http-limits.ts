/** What one HTTP server grants its clients. */
export interface HttpLimits {
	readonly maxConnections: number;
	/** Bytes of one request body. */
	readonly maxBodyBytes: number;
	/** Bytes of the request line and headers. */
	readonly maxHeaderBytes: number;
	/** Time for a TLS handshake. */
	readonly handshakeMs: number;
	/** Time for the headers of a request to come. */
	readonly headersMs: number;
	/** Time for a whole request to come. */
	readonly requestMs: number;
	/** An idle connection is closed after this time. */
	readonly keepAliveMs: number;
	/** A write that the client has not taken for so long ends the connection. */
	readonly blockedWriteMs: number;
	/** Time that open requests get to end when the server stops. */
	readonly stopMs: number;
}

/** Defaults for an admin API: few clients, small requests. */
export const defaultHttpLimits: HttpLimits = {
	maxConnections: 256,
	maxBodyBytes: 1024 * 1024,
	maxHeaderBytes: 16 * 1024,
	handshakeMs: 10_000,
	headersMs: 10_000,
	requestMs: 30_000,
	keepAliveMs: 30_000,
	blockedWriteMs: 20_000,
	stopMs: 5_000,
};
