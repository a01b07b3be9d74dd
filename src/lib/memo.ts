/**
 * Computes once per input object and keeps the result as long as the input lives.
 *
 * The input is the whole cache key: `compute` is handed nothing else, so it
 * cannot depend on a value that the key does not cover.
 */
export function memoByInput<I extends object, O>(
	compute: (input: I) => O,
): (input: I) => O {
	const results = new WeakMap<I, { readonly value: O }>();
	return (input) => {
		const kept = results.get(input);
		if (kept !== undefined) return kept.value;
		const value = compute(input);
		results.set(input, { value });
		return value;
	};
}

/** Computes once per pair of input objects and keeps the result as long as both live. See `memoByInput`. */
export function memoByInputs<A extends object, B extends object, O>(
	compute: (a: A, b: B) => O,
): (a: A, b: B) => O {
	const byFirst = memoByInput((a: A) => memoByInput((b: B) => compute(a, b)));
	return (a, b) => byFirst(a)(b);
}
