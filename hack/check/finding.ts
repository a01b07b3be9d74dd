/** What one check has to say: nothing when all is well. */
export interface CheckResult {
	/** What is wrong, as the tool or we print it; empty when nothing is. */
	readonly report: string;
	/** One sentence: how to mend it. */
	readonly remedy: string;
}
