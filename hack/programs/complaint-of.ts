/** What a program that failed printed as its complaint; why it could not be run, where it printed none. */
export function complaintOf(error: unknown): string {
	const printed =
		error instanceof Error && "stderr" in error ? String(error.stderr) : "";
	return (
		printed.trim() || (error instanceof Error ? error.message : String(error))
	);
}

/** The last line of it, which says most in programs that tell what they do. */
export function lastComplaintOf(error: unknown): string {
	return complaintOf(error).split("\n").at(-1) ?? "";
}
