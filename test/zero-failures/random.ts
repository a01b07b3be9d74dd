/** A stream of random numbers that a seed decides. */
export class Random {
	#state: number;

	constructor(seed: number) {
		this.#state = seed >>> 0;
	}

	/** At least 0 and below 1 (mulberry32). */
	fraction(): number {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let mixed = this.#state;
		mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	}

	/** A whole number from `least` to `most`, both possible. */
	whole(least: number, most: number): number {
		return least + Math.floor(this.fraction() * (most - least + 1));
	}

	/** True in so many of a hundred cases. */
	chance(percent: number): boolean {
		return this.fraction() * 100 < percent;
	}

	/** One of them, or undefined when there is none. */
	pick<T>(items: readonly T[]): T | undefined {
		return items[Math.floor(this.fraction() * items.length)];
	}

	/** One of them, the heavier the likelier; undefined when all weigh nothing. */
	weighted<T>(items: readonly (readonly [T, number])[]): T | undefined {
		let left =
			this.fraction() * items.reduce((sum, [, weight]) => sum + weight, 0);
		for (const [item, weight] of items) {
			left -= weight;
			if (left < 0) return item;
		}
		return undefined;
	}
}
