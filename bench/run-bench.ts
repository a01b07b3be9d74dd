/** Runs a benchmark until it ends, or until somebody ends it: the signal is aborted then. What it throws is told, and makes this process fail. */
export async function runBench(
	main: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
	const stopping = new AbortController();
	for (const name of ["SIGINT", "SIGTERM"] as const)
		process.once(name, () => stopping.abort(new Error(`Ended by ${name}.`)));
	try {
		await main(stopping.signal);
	} catch (thrown) {
		const error: unknown = stopping.signal.aborted
			? stopping.signal.reason
			: thrown;
		console.error(error instanceof Error ? `bench: ${error.message}` : error);
		process.exitCode = 1;
	}
}
