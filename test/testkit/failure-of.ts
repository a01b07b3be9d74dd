/** The error that a promise rejects with. Throws when it does not. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
	try {
		await promise;
	} catch (error) {
		if (error instanceof Error) return error;
	}
	throw new Error("Nothing failed.");
}
