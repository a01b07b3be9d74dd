/**
 * Calls `fire` after `delayMs`, but not before what other ends had sent or taken
 * by then was noticed. A process that was busy or stopped for longer than that
 * would else find everybody silent: its timers come before its sockets.
 *
 * @returns what cancels it
 */
export function patientTimeout(delayMs: number, fire: () => void): () => void {
	let afterSockets: NodeJS.Immediate | undefined;
	const timer = setTimeout(() => {
		// Immediates come after the sockets of the same round.
		afterSockets = setImmediate(fire);
	}, delayMs);
	return () => {
		clearTimeout(timer);
		if (afterSockets !== undefined) clearImmediate(afterSockets);
	};
}
