import type { Clock } from "../lib/clock.ts";
import type { Refused } from "./verdicts.ts";

/**
 * How long one proxy is not believed while others have the same software:
 * longer than a busy one takes for a response, and nobody is without what it
 * had meanwhile. Milliseconds.
 */
const opinionMs = 500;

/** Refusals that may wait; of more, a proxy's word counts at once. */
const maxWaiting = 1000;

/** A refusal that others had the time to contradict. */
export interface HeardRefusal {
	readonly verdict: Refused;
	/** All proxies that have refused the same meanwhile. */
	readonly by: ReadonlySet<string>;
}

interface Waiting {
	readonly verdict: Refused;
	readonly by: Set<string>;
	readonly cancel: () => void;
}

/**
 * Asks for a second opinion before a proxy is believed: what it refuses, others
 * of the same software may accept; then it is ill, and nobody is to blame. Whether
 * they have accepted it is for the listener to see.
 *
 * Guarantees: a refusal is handed on after `opinionMs` at the latest, at once
 *   when there is nobody to ask or everybody has refused.
 */
export class SecondOpinion {
	readonly #clock: Clock;
	readonly #hasOthers: (
		software: string,
		known: ReadonlySet<string>,
	) => boolean;
	readonly #listener: (heard: HeardRefusal) => void;
	/** By software and version. */
	readonly #waiting = new Map<string, Waiting>();

	/** @param hasOthers whether proxies other than these have the software now */
	constructor(
		clock: Clock,
		hasOthers: (software: string, known: ReadonlySet<string>) => boolean,
		listener: (heard: HeardRefusal) => void,
	) {
		this.#clock = clock;
		this.#hasOthers = hasOthers;
		this.#listener = listener;
	}

	/** A proxy has refused something. */
	refused(verdict: Refused): void {
		const { software, proxy, resources } = verdict;
		for (const resource of resources) {
			const key = `${software} ${resource.version}`;
			const before = this.#waiting.get(key);
			before?.by.add(proxy);
			const by = before?.by ?? new Set([proxy]);
			const hasOthers = this.#hasOthers(software, by);
			if (!hasOthers || this.#waiting.size >= maxWaiting) {
				before?.cancel();
				this.#waiting.delete(key);
				const one = before?.verdict ?? { ...verdict, resources: [resource] };
				this.#listener({ verdict: one, by });
			} else if (before === undefined) {
				this.#waiting.set(key, {
					verdict: { ...verdict, resources: [resource] },
					by,
					cancel: this.#clock.after(opinionMs, () => this.#isUp(key)),
				});
			}
		}
	}

	[Symbol.dispose](): void {
		for (const { cancel } of this.#waiting.values()) cancel();
		this.#waiting.clear();
	}

	#isUp(key: string): void {
		const waiting = this.#waiting.get(key);
		this.#waiting.delete(key);
		if (waiting !== undefined) this.#listener(waiting);
	}
}
