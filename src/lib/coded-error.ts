/** Base of every error that is thrown on purpose: the world failed, not the user's object and not this program. */
export abstract class CodedError extends Error {
	abstract override readonly name: string;
	/** Stable; shown in logs and docs, never reworded. */
	abstract readonly code: string;
	/** Whether the same call may succeed later without anyone changing anything. */
	abstract readonly retryable: boolean;
}
