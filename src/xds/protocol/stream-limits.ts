/** What a stream is limited to. */
export interface StreamLimits {
	/** Names that one subscription may hold. */
	readonly maxNames: number;
	/** Resources of one type that a proxy may bring from an earlier stream. */
	readonly maxKept: number;
	/** How long a cluster stays after nothing points there any more, for requests that are in flight. */
	readonly removalDelayMs: number;
}
