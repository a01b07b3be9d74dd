import type { Leader } from "../../../kube/leadership.ts";
import { type Signal, WritableSignal } from "../../../lib/signal.ts";

/**
 * A leader that begins to write only when it knows enough to judge.
 *
 * Right after its start a replica has no proxies yet, though they are about to
 * come back: statuses that it wrote then would be wrong for a moment.
 */
export function settledLeader(
	leader: Leader,
	isSettled: Signal<boolean>,
): Leader & Disposable {
	const isLeader = (): boolean => isSettled.value && leader.isLeader();
	const state = new WritableSignal(isLeader());
	const stops = [
		leader.state.subscribe((leads) => state.set(leads && isSettled.value)),
		isSettled.subscribe((settled) => state.set(settled && leader.state.value)),
	];
	return {
		isLeader,
		state,
		[Symbol.dispose]: () => {
			for (const stop of stops) stop();
		},
	};
}
