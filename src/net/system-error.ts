/** The `code` of an error of the operating system (`ECONNREFUSED`), or undefined for other errors. */
export function systemErrorCode(error: unknown): string | undefined {
	if (!(error instanceof Error) || !("code" in error)) return undefined;
	return typeof error.code === "string" ? error.code : undefined;
}
