/** A place in a text; line and column count from 1. */
export interface Spot {
	readonly line: number;
	readonly column: number;
}

/** The place of a UTF-16 offset in a text. */
export function spotAt(text: string, offset: number): Spot {
	return spotFinder(text)(offset);
}

/** As `spotAt`, for many offsets of one text. */
export function spotFinder(text: string): (offset: number) => Spot {
	let starts: readonly number[] | undefined;
	return (offset) => {
		starts ??= lineStarts(text);
		let low = 0;
		let high = starts.length - 1;
		while (low < high) {
			const middle = Math.ceil((low + high) / 2);
			if ((starts[middle] ?? 0) <= offset) low = middle;
			else high = middle - 1;
		}
		const start = starts[low] ?? 0;
		return {
			line: low + 1,
			column: Math.max(0, Math.min(offset, text.length) - start) + 1,
		};
	};
}

function lineStarts(text: string): readonly number[] {
	const starts = [0];
	for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1))
		starts.push(at + 1);
	return starts;
}
