const UNIT_MS: Readonly<Record<string, number>> = {
	h: 3_600_000,
	m: 60_000,
	s: 1000,
	ms: 1,
};

const WHOLE = /^(?:0|(?:\d+(?:\.\d+)?(?:h|ms|m|s))+)$/;
const PART = /(\d+(?:\.\d+)?)(h|ms|m|s)/g;

/** Milliseconds of a duration such as `3s`, `1m30s`, `0.5s` or `0`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
	if (!WHOLE.test(text)) return undefined;
	let sumMs = 0;
	for (const [, amount, unit] of text.matchAll(PART)) {
		sumMs += Number(amount) * (UNIT_MS[unit ?? ""] ?? Number.NaN);
	}
	// Sums of fractions such as 0.1s + 0.2s are not exact in floating point.
	return Math.round(sumMs * 1e6) / 1e6;
}
