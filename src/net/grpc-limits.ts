/**
 * What one gRPC server grants its clients. Every limit is there so that a
 * hostile or broken client harms nobody but itself.
 */
export interface GrpcLimits {
	/** Open connections; further ones are closed at once. */
	readonly maxConnections: number;
	/** Open streams of one connection; further ones are refused (REFUSED_STREAM). */
	readonly maxStreamsPerConnection: number;
	/** Open streams in all; further ones end with RESOURCE_EXHAUSTED. */
	readonly maxStreams: number;
	/** Bytes of one request message. */
	readonly maxRequestBytes: number;
	/**
	 * Bytes of unfinished request messages above 64 KiB, in all. One connection
	 * gets at most twice `maxRequestBytes` of them.
	 */
	readonly maxBufferedRequestBytes: number;
	/** Bytes of the request headers of one stream. */
	readonly maxHeaderBytes: number;
	/** A write that the client has not taken for so long ends the stream. */
	readonly blockedWriteMs: number;
	/** Time for a TLS handshake: a proxy on a busy machine needs a second. */
	readonly handshakeMs: number;
	/** A connection that has not opened a stream for so long after it was made is closed. */
	readonly firstStreamMs: number;
	/** A connection without streams is closed after this time. */
	readonly idleMs: number;
	/** Time between the pings that find dead connections. */
	readonly pingIntervalMs: number;
	/** A ping that is not answered for so long closes the connection. */
	readonly pingTimeoutMs: number;
	/** Time that open streams get to end when the server stops. */
	readonly stopMs: number;
}

/** Defaults for a control plane: a few thousand proxies, one long stream each. */
export const defaultGrpcLimits: GrpcLimits = {
	maxConnections: 20_000,
	maxStreamsPerConnection: 100,
	maxStreams: 40_000,
	// The first request of a proxy that reconnects names every resource it has: 100,000 of them with their versions fit.
	maxRequestBytes: 16 * 1024 * 1024,
	maxBufferedRequestBytes: 256 * 1024 * 1024,
	maxHeaderBytes: 16 * 1024,
	blockedWriteMs: 20_000,
	handshakeMs: 10_000,
	firstStreamMs: 10_000,
	idleMs: 300_000,
	pingIntervalMs: 30_000,
	pingTimeoutMs: 20_000,
	stopMs: 5_000,
};
