/**
 * What holds where no rule says otherwise. Each value is in the user's docs.
 */
export const defaults = {
	/** Time to open a connection to an endpoint. */
	connectTimeoutMs: 5_000,
	/** Whole-request timeout: off, since streams and downloads have no natural one. */
	requestTimeoutMs: 0,
	/** A request on which nothing moves in either direction for so long is ended. */
	streamIdleTimeoutMs: 300_000,
	/** Idle connections to other proxies are kept shorter than any server we know of keeps them. */
	upstreamIdleTimeoutMs: 60_000,
	/** Idle connections to the application itself: shorter than Node.js's five seconds. */
	applicationIdleTimeoutMs: 4_000,
	/** Connections from clients that nobody uses are ended after so long by a sidecar whose pod goes. */
	drainIdleTimeoutMs: 1_000,
	/** A request that comes while a sidecar ends an idle connection is answered, for so long. */
	idleCloseMs: 1_000,
	/** Retries of a rule-less route, and only when the request was certainly not processed. */
	retryAttempts: 2,
	safeRetryOn: ["connect-failure", "refused-stream", "reset-before-request"],
	/**
	 * Retries may be this share of what is in flight, or `retryBudgetMinimum`.
	 * A retry counts while it waits, too: with 10, sixteen callers at a time met
	 * a dead endpoint in every sixth request.
	 */
	retryBudgetPercent: 20,
	retryBudgetMinimum: 100,
	/** A ceiling that protects the proxy's memory, not a limit that a healthy service meets. */
	maxConnections: 100_000,
	maxPendingRequests: 100_000,
	maxRequests: 100_000,
	/**
	 * Endpoints that are tried for a connection of plain TCP. An endpoint that is
	 * gone has the fewest connections, so the balancer draws it in two of three
	 * tries where there are two; more tries would make waits of 5 s each too long.
	 */
	tcpConnectAttempts: 5,
	/** Connections from clients that one proxy process holds at most. */
	maxDownstreamConnections: 50_000,
	/** Idle connections are probed before load balancers and firewalls on the way forget them; most do after 350 s or more. */
	tcpKeepaliveTimeSeconds: 300,
	tcpKeepaliveIntervalSeconds: 30,
	tcpKeepaliveProbes: 3,
	/** Ends HTTP/2 connections whose peer is gone. */
	http2KeepaliveIntervalMs: 30_000,
	http2KeepaliveTimeoutMs: 10_000,
	maxRequestHeadersKb: 60,
	/** A client of a gateway that sends its headers drop by drop keeps a connection for no longer. */
	requestHeadersTimeoutMs: 10_000,
	/** A client that opens a connection and says nothing is taken for plain TCP after so long. */
	protocolDetectionTimeoutMs: 1_000,
	/**
	 * Regexes up to this compiled size are accepted. Envoy's own default of 100
	 * refuses patterns that people write; validation of rules refuses larger ones.
	 */
	maxRegexProgramSize: 65_536,
} as const;
