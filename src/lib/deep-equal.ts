import { isDeepStrictEqual } from "node:util";

/**
 * Whether two values hold the same data: order of keys does not matter, order
 * of list items does. Maps and sets are compared by content.
 */
export function deepEqual(a: unknown, b: unknown): boolean {
	return isDeepStrictEqual(a, b);
}
