/** The wish of a person, or of whatever runs us, that we end. */
export interface StopSignal {
	readonly first: Promise<void>;
	onSecond(act: () => void): void;
}

/**
 * The first request to stop ends a program in order; a second one ends it at
 * once. npm passes on the Ctrl-C that the terminal has sent to everybody, so
 * what comes within a second is still the first.
 */
export function firstStopSignal(): StopSignal {
	const { promise, resolve: stop } = Promise.withResolvers<void>();
	let firstMs: number | undefined;
	let actOnSecond = (): void => {};
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
		process.on(signal, () => {
			firstMs ??= performance.now();
			stop();
			if (performance.now() - firstMs > 1_000) actOnSecond();
		});
	}
	// An npm that was killed cannot pass anything on.
	const { ppid, env } = process;
	if (env["npm_lifecycle_event"] !== undefined) {
		setInterval(() => {
			if (process.ppid !== ppid) stop();
		}, 1_000).unref();
	}
	return {
		first: promise,
		onSecond: (act) => {
			actOnSecond = act;
		},
	};
}
