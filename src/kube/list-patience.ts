import type { Clock } from "../lib/clock.ts";
import { KubeError } from "./kube-error.ts";
import type { KubeResource } from "./resources.ts";

/** Between the objects of a list there is no reason for silence; it takes much longer in a watch. */
const LIST_SILENCE_MS = 20_000;

/** Ends a streamed list that falls silent before it is complete. */
export class ListPatience {
	readonly #clock: Clock;
	readonly #resource: KubeResource;
	readonly #ending = new AbortController();
	#hasEnded = false;
	#cancel: () => void = () => undefined;

	/** Listens from now on. */
	constructor(clock: Clock, resource: KubeResource) {
		this.#clock = clock;
		this.#resource = resource;
		this.heard();
	}

	/** Aborted with a `KubeError` when nothing was heard for too long. */
	get signal(): AbortSignal {
		return this.#ending.signal;
	}

	/** Something has come: the silence begins anew. */
	heard(): void {
		if (this.#hasEnded) return;
		this.#cancel();
		this.#cancel = this.#clock.after(LIST_SILENCE_MS, () =>
			this.#ending.abort(
				new KubeError(
					"KUBE_SILENT",
					`The API server was silent for ${LIST_SILENCE_MS / 1000} s amid the list of ${this.#resource.plural}. Look at its load, and at that of etcd.`,
				),
			),
		);
	}

	/** The list is complete, or over: silence is no trouble any more. */
	end(): void {
		this.#hasEnded = true;
		this.#cancel();
	}
}
