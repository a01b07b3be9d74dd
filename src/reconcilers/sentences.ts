/** Longest message of a condition, in UTF-16 units: Kubernetes keeps 32768, a person reads a screen. */
export const maxMessage = 4096;

/** Longest quotation of somebody else's words in a message. */
const maxQuoted = 600;

/** The text, cut where it exceeds `max`, and then ending in `…`. */
export function bounded(text: string, max = maxMessage): string {
	if (text.length <= max) return text;
	// A surrogate pair that is cut in half is no text.
	return `${text.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** Somebody else's words on one line. */
export function quoted(text: string): string {
	return bounded(text.replaceAll(/\s+/g, " ").trim(), maxQuoted);
}

/** `a, b, c and 4 more`; `count` is how many there are, of which `shown` are a few. */
export function printNames(shown: readonly string[], count: number): string {
	const more = Math.max(0, count - shown.length);
	if (shown.length === 0) return `${more} that cannot be named`;
	if (more > 0) return `${shown.join(", ")} and ${more} more`;
	const [last = "", ...before] = shown.toReversed();
	return before.length === 0
		? last
		: `${before.reverse().join(", ")} and ${last}`;
}
