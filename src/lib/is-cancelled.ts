/** Whether a rejection only says that an `AbortSignal` fired: cancellation is not an error. */
export function isCancelled(error: unknown): boolean {
	return error instanceof Error && error.name === "AbortError";
}
