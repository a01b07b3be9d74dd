import type { Clock } from "../lib/clock.ts";

/** What one proxy is asked about. */
export interface Question {
	/** Of the object. */
	readonly key: string;
	readonly content: string;
	readonly software: string;
	/** `namespace/name` of its workload. */
	readonly proxy: string;
}

/** How long a proxy has its first configuration in peace before it is asked. Milliseconds. */
export const settleMs = 2000;

/** How long an answer is waited for. Milliseconds. */
const answerMs = 5000;

/** Proxies that are asked at a time. */
const maxAsked = 4;

/**
 * Asks other proxies whether they refuse what one alone has refused. For that
 * they get the object for a while as it is, in an edition of the mesh of their
 * own: one that is asked about one object at a time is at risk, nobody else.
 */
export class Retries {
	readonly #clock: Clock;
	readonly #next: () => Question | undefined;
	readonly #changed: () => void;
	/** By proxy. */
	readonly #asked = new Map<
		string,
		{ readonly question: Question; readonly cancel: () => void }
	>();
	#cancelLook: (() => void) | undefined;
	#looksAgain = false;

	/**
	 * @param next the next question that is to be asked, to a proxy that is not being asked
	 * @param changed is called when other proxies are being asked than before
	 */
	constructor(
		clock: Clock,
		next: () => Question | undefined,
		changed: () => void,
	) {
		this.#clock = clock;
		this.#next = next;
		this.#changed = changed;
	}

	/** What is being asked, by proxy. */
	get asked(): ReadonlyMap<string, Question> {
		return new Map(
			[...this.#asked].map(([proxy, { question }]) => [proxy, question]),
		);
	}

	/** Whether this proxy is being asked. */
	isAsked(proxy: string): boolean {
		return this.#asked.has(proxy);
	}

	/** There may be something to ask, as soon as whoever has just come has settled. */
	look(): void {
		if (this.#cancelLook !== undefined) {
			this.#looksAgain = true;
			return;
		}
		this.#cancelLook = this.#clock.after(settleMs, () => {
			this.#cancelLook = undefined;
			if (this.#looksAgain) this.look();
			this.#looksAgain = false;
			this.#ask();
		});
	}

	/** What is asked about the object is known now. */
	answered(key: string, software: string): void {
		for (const { question, cancel } of [...this.#asked.values()]) {
			if (question.key !== key || question.software !== software) continue;
			cancel();
			this.#asked.delete(question.proxy);
			this.look();
		}
	}

	/** The proxy is gone. */
	gone(proxy: string): void {
		const asked = this.#asked.get(proxy);
		if (asked === undefined) return;
		asked.cancel();
		this.#asked.delete(proxy);
		this.look();
		this.#changed();
	}

	[Symbol.dispose](): void {
		this.#cancelLook?.();
		for (const { cancel } of this.#asked.values()) cancel();
	}

	#ask(): void {
		let isNew = false;
		while (this.#asked.size < maxAsked) {
			const question = this.#next();
			if (question === undefined) break;
			const cancel = this.#clock.after(answerMs, () => {
				this.#asked.delete(question.proxy);
				this.look();
				this.#changed();
			});
			this.#asked.set(question.proxy, { question, cancel });
			isNew = true;
		}
		if (isNew) this.#changed();
	}
}
