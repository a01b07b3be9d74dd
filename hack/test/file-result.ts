/** One failed test or hook. */
export interface Failure {
	/** Titles from the outermost `describe` to the test. */
	readonly title: string;
	/** Message, difference and stack, as a person reads them. */
	readonly text: string;
}

/** What came of one test file. */
export interface FileResult {
	readonly file: string;
	readonly passed: number;
	readonly failures: readonly Failure[];
	/** Full titles of the tests that did not run. */
	readonly skipped: readonly string[];
	readonly durationMs: number;
}

/** What the test process is asked to do. */
export interface FileRequest {
	readonly file: string;
	readonly timeoutMs: number;
	/** Only tests whose full title contains this text; all when absent. */
	readonly grep?: string;
}
