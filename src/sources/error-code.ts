/** The `code` of an error of the operating system, such as `ENOENT`; rethrows what has none. */
export function errorCode(error: unknown): string {
	if (error instanceof Error && "code" in error) {
		if (typeof error.code === "string") return error.code;
	}
	throw error;
}
