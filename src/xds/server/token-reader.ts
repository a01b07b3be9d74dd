/** The pod that a token is bound to, as the API server says. */
export interface TokenOwner {
	readonly namespace: string;
	readonly serviceAccount: string;
	readonly podName: string;
	readonly podUid: string;
}

/** Whose token it is; why it is refused; or why that cannot be said now. The sentences never hold the token. */
export type ReadToken =
	| {
			readonly owner: TokenOwner;
			/** Milliseconds since the epoch; undefined when it does not say. */
			readonly expiresMs: number | undefined;
	  }
	| { readonly refusal: string }
	| { readonly unavailable: string };

/** Tells whose token it is. What authentication needs of whoever asks the API server. */
export interface TokenReader {
	/** Never throws. */
	review(token: string): Promise<ReadToken>;
}
