/** What a command answers to a script. */
export const exitCode = {
	/** It worked, and the answer is yes. */
	ok: 0,
	/** It worked, and the answer is no: violations, no such proxy, not live in time. */
	negative: 1,
	/** The command line cannot be understood. */
	usage: 2,
	/** The world failed: nobody answers, a file cannot be written. */
	failed: 3,
	/** Waiting is of no use: the object is refused, by validation or by a proxy. */
	rejected: 4,
	/** A mistake in this program (`EX_SOFTWARE` of sysexits.h). */
	mistake: 70,
} as const;

/** One of the exit codes. */
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];
