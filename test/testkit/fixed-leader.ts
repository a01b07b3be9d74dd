import type { Leader } from "../../src/kube/leadership.ts";
import { WritableSignal } from "../../src/lib/signal.ts";

/** Leads when the test says so. */
export class FixedLeader implements Leader {
	readonly state: WritableSignal<boolean>;
	/** False while it does not lead any more and has not been told yet. */
	holds = true;

	constructor(leads = true) {
		this.state = new WritableSignal(leads);
	}

	isLeader(): boolean {
		return this.holds && this.state.value;
	}
}
