import type { Clock } from "../lib/clock.ts";

/** How long software counts as present when its last proxy is gone: proxies come back from restarts and updates. Milliseconds. */
const goneAfterMs = 600_000;

/** Software without a proxy that is waited for; of more, the one that is gone longest is not. */
const maxAwaited = 32;

/** Which software the proxies have, and which proxies have it. */
export class PresentSoftware {
	readonly #clock: Clock;
	readonly #changed: () => void;
	/** Open streams by software and proxy; a proxy may have two for a moment. */
	readonly #connected = new Map<string, Map<string, number>>();
	/** Software that may come back, the one gone longest first. */
	readonly #awaited = new Map<string, () => void>();

	/**
	 * @param awaited software that an earlier process knew
	 * @param changed is called when software has not come back for long
	 */
	constructor(clock: Clock, awaited: ReadonlySet<string>, changed: () => void) {
		this.#clock = clock;
		this.#changed = changed;
		for (const software of awaited) this.#await(software);
	}

	/** Software that proxies have, or had not long ago. */
	get all(): ReadonlySet<string> {
		return new Set([...this.#awaited.keys(), ...this.#connected.keys()]);
	}

	/** Proxies that have this software now. */
	proxiesOf(software: string): ReadonlySet<string> {
		return new Set(this.#connected.get(software)?.keys());
	}

	/** A proxy has opened a stream; answers whether its software was not present before. */
	connected(software: string, proxy: string): boolean {
		const isNew = !this.#connected.has(software);
		const isBack = this.#awaited.has(software);
		this.#awaited.get(software)?.();
		this.#awaited.delete(software);
		const proxies = this.#connected.get(software) ?? new Map<string, number>();
		proxies.set(proxy, (proxies.get(proxy) ?? 0) + 1);
		this.#connected.set(software, proxies);
		return isNew && !isBack;
	}

	/** A stream of a proxy has ended. */
	disconnected(software: string, proxy: string): void {
		const proxies = this.#connected.get(software);
		const left = (proxies?.get(proxy) ?? 0) - 1;
		if (left > 0) proxies?.set(proxy, left);
		else proxies?.delete(proxy);
		if (proxies?.size !== 0) return;
		this.#connected.delete(software);
		this.#await(software);
	}

	[Symbol.dispose](): void {
		for (const cancel of this.#awaited.values()) cancel();
		this.#awaited.clear();
	}

	#await(software: string): void {
		const cancel = this.#clock.after(goneAfterMs, () => {
			this.#awaited.delete(software);
			this.#changed();
		});
		this.#awaited.set(software, cancel);
		for (const [longest, cancelLongest] of this.#awaited) {
			if (this.#awaited.size <= maxAwaited) return;
			cancelLongest();
			this.#awaited.delete(longest);
		}
	}
}
