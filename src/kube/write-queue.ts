/*
 * Writes of objects, each known by a key:
 *
 *   write ─▶ queued ── its turn, by the pacer ─▶ under way ─▶ done
 *              ▲                                    │
 *              └── asked for again: waits with it   └── asked for again: follows it
 */
import { isServersTrouble } from "./servers-trouble.ts";
import type { Urgency, WritePacer } from "./write-pacer.ts";

/**
 * Gives the writes of each object their order, and those of all objects their turn.
 *
 * Guarantees: never are two writes of one object under way; one that waits for its turn is
 *   asked for once, however often it is asked for; once it is disposed of nothing more is begun.
 */
export class WriteQueue implements Disposable {
	readonly #pacer: WritePacer;
	readonly #write: (key: string) => Promise<void>;
	/** Ends the wait for a turn. */
	readonly #stopping = new AbortController();
	/** Writes that wait for their turn, by urgency and key: whoever asks again waits with them. */
	readonly #queued: Readonly<Record<Urgency, Map<string, Promise<void>>>> = {
		urgent: new Map(),
		bulk: new Map(),
	};
	/** The last write of each object that has begun; the next one follows it. */
	readonly #underWay = new Map<string, Promise<void>>();

	/** @param write writes what is to be said of an object by then */
	constructor(pacer: WritePacer, write: (key: string) => Promise<void>) {
		this.#pacer = pacer;
		this.#write = write;
	}

	/** Whether nothing more is begun. */
	get isStopped(): boolean {
		return this.#stopping.signal.aborted;
	}

	[Symbol.dispose](): void {
		this.#stopping.abort();
	}

	/**
	 * Writes these objects; the trouble of one does not stop the others, unless it is the server's.
	 *
	 * Fails when: a write failed; of several, with what is the server's trouble.
	 */
	async writeAll(due: ReadonlyMap<string, Urgency>): Promise<void> {
		const failures: unknown[] = [];
		await Promise.all(
			[...due].map(async ([key, urgency]) => {
				try {
					await this.#enter(key, urgency, failures);
				} catch (error) {
					failures.push(error);
				}
			}),
		);
		if (failures.length > 0 && !this.isStopped)
			throw failures.find(isServersTrouble) ?? failures[0];
	}

	/**
	 * Writes an object when its turn comes.
	 *
	 * @param failures of others that were asked for at the same time, as far as they are known by then
	 */
	#enter(
		key: string,
		urgency: Urgency,
		failures: readonly unknown[],
	): Promise<void> {
		const queued = this.#queued[urgency];
		const before = queued.get(key);
		if (before !== undefined) return before;
		const turn = async (): Promise<unknown> => {
			queued.delete(key);
			// The same would happen to each of a thousand.
			const trouble = failures.find(isServersTrouble);
			if (trouble === undefined) await this.#follow(key);
			return trouble;
		};
		const inTurn = async (): Promise<void> => {
			const { signal } = this.#stopping;
			try {
				const trouble = await this.#pacer.run(turn, signal, urgency);
				// Thrown in its turn, it would hold up all others once more.
				if (trouble !== undefined) throw trouble;
			} finally {
				if (signal.aborted) queued.delete(key);
			}
		};
		const write = inTurn();
		queued.set(key, write);
		return write;
	}

	/** After the write of this object that is under way, if there is one. */
	async #follow(key: string): Promise<void> {
		const before = this.#underWay.get(key) ?? Promise.resolve();
		const write = before.then(() => this.#write(key));
		// Whoever asked for the one before hears of its failure.
		const ended = write.catch(() => undefined);
		this.#underWay.set(key, ended);
		try {
			await write;
		} finally {
			if (this.#underWay.get(key) === ended) this.#underWay.delete(key);
		}
	}
}
