import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import type { WatchProblem, WatchState } from "./list-watch.ts";
import type { KubeResource } from "./resources.ts";
import type { WatchMetrics } from "./watch-metrics.ts";

/** How things stand with a kind. */
export interface WatchStatus {
	/** Whether everything was read at least once. */
	readonly isListed: boolean;
	/** Whether the server knows no such kind, so that there is nothing to be read. */
	readonly isMissing: boolean;
	/** What keeps the kind from being current. */
	readonly problem: WatchProblem | undefined;
}

/** What is told of a watch, and to whom. */
interface WatchStandingParts {
	readonly resource: KubeResource;
	readonly logger: Logger;
	readonly metrics?: WatchMetrics;
}

/** Tells how things stand with a kind, each time that it is another way: by signal, log and metric. */
export class WatchStanding {
	readonly #parts: WatchStandingParts;
	readonly #status = new WritableSignal<WatchStatus>({
		isListed: false,
		isMissing: false,
		problem: undefined,
	});

	constructor(parts: WatchStandingParts) {
		this.#parts = parts;
	}

	/** How things stand. */
	get status(): Signal<WatchStatus> {
		return this.#status;
	}

	/** This is the state of the watch from now on. */
	set(state: WatchState): void {
		const { isListed, problem } = state;
		const before = this.#status.value;
		const shown = problem ?? this.#versionNote(state);
		if (
			before.isListed === isListed &&
			before.problem?.kind === shown?.kind &&
			before.problem?.message === shown?.message
		)
			return;
		this.#status.set({
			isListed,
			isMissing: shown?.kind === "missing",
			problem: shown,
		});
		const { metrics, resource } = this.#parts;
		metrics?.current.set(isListed && problem === undefined ? 1 : 0, {
			resource: resource.plural,
		});
		this.#log(before.problem, shown);
	}

	#log(before: WatchProblem | undefined, now: WatchProblem | undefined): void {
		if (before?.kind === now?.kind) return;
		const { logger, resource } = this.#parts;
		const fields = { resource: resource.plural };
		if (now === undefined) {
			logger.info("A kind is read from the API server again.", fields);
			return;
		}
		logger.warn(
			"A kind is not current; what was read of it before stays in force.",
			{ ...fields, reason: now.kind, problem: now.message },
		);
	}

	/** Stays as long as another version is read than the one that this program knows. */
	#versionNote({ version: read }: WatchState): WatchProblem | undefined {
		const { version, plural } = this.#parts.resource;
		if (read === version) return undefined;
		return {
			kind: "KUBE_NOT_FOUND",
			message: `The API server offers ${plural} at ${read} and no longer at ${version}, so that is read instead; what does not fit is refused. Install a version of Lateen that knows ${read}.`,
		};
	}
}
