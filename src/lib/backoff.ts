/**
 * How long to wait before what failed is tried again: twice as long after each further failure in a row.
 *
 * @param failedBefore how many failures came before the one that is waited for; 0 waits `firstMs`
 * @param mostMs never longer than this; by default 32 times as long as at first
 */
export function backoffMs(
	failedBefore: number,
	firstMs: number,
	mostMs = 32 * firstMs,
): number {
	return Math.min(firstMs * 2 ** failedBefore, mostMs);
}
