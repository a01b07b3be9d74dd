/** A test on one string of a request. Regexes are RE2 and match the whole string. */
export interface StringMatch {
	readonly kind:
		| "exact"
		| "prefix"
		| "suffix"
		| "contains"
		| "regex"
		| "present";
	/** Empty for `present`. */
	readonly value: string;
	/** Turns the answer round. */
	readonly not: boolean;
	/** Has no effect on `regex` and `present`. */
	readonly ignoreCase: boolean;
}
