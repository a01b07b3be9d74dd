/**
 * The candidate that was probably meant, or undefined when none is close.
 *
 * Close is: at most two letters (one for words of up to four) inserted, left
 * out, replaced or swapped with their neighbour.
 */
export function nearestName(
	typed: string,
	candidates: Iterable<string>,
): string | undefined {
	const allowed = typed.length <= 4 ? 1 : 2;
	let best: { readonly name: string; readonly edits: number } | undefined;
	for (const name of candidates) {
		const edits = countEdits(typed.toLowerCase(), name.toLowerCase());
		if (edits <= allowed && (best === undefined || edits < best.edits))
			best = { name, edits };
	}
	return best?.name;
}

/** Number of single-letter edits between two words (optimal string alignment). */
function countEdits(a: string, b: string): number {
	let beforeLast: number[] = [];
	let last = Array.from({ length: b.length + 1 }, (_, column) => column);
	for (let row = 1; row <= a.length; row++) {
		const current = [row];
		for (let column = 1; column <= b.length; column++) {
			const same = a[row - 1] === b[column - 1];
			let edits = Math.min(
				(last[column] ?? 0) + 1,
				(current[column - 1] ?? 0) + 1,
				(last[column - 1] ?? 0) + (same ? 0 : 1),
			);
			const swapped =
				row > 1 &&
				column > 1 &&
				a[row - 1] === b[column - 2] &&
				a[row - 2] === b[column - 1];
			if (swapped) edits = Math.min(edits, (beforeLast[column - 2] ?? 0) + 1);
			current.push(edits);
		}
		beforeLast = last;
		last = current;
	}
	return last[b.length] ?? 0;
}
