import type { Clock } from "../lib/clock.ts";

/** How long software counts as present when its last proxy is gone: proxies come back from restarts and updates. Milliseconds. */
const goneAfterMs = 600_000;

/** Software without a proxy that is waited for; of more, the one that is gone longest is not. */
const maxAwaited = 32;

/** Which software the proxies have, and which proxies have it. */
export class PresentSoftware {
	readonly #clock: Clock;
	readonly #changed: () => void;
	/** Open streams by software and proxy, and since when it has one; a proxy may have two for a moment. */
	readonly #connected = new Map<
		string,
		Map<string, { streams: number; readonly sinceMs: number }>
	>();
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

	/** Whether proxies other than these have this software now. */
	hasOthers(software: string, known: ReadonlySet<string>): boolean {
		for (const proxy of this.#connected.get(software)?.keys() ?? [])
			if (!known.has(proxy)) return true;
		return false;
	}

	/** Proxies that have this software and have been here for some time. */
	*settledOf(software: string, forMs: number): Iterable<string> {
		const untilMs = this.#clock.monotonicMs() - forMs;
		for (const [proxy, { sinceMs }] of this.#connected.get(software) ?? [])
			if (sinceMs <= untilMs) yield proxy;
	}

	/** A proxy has opened a stream; answers whether its software was not present before. */
	connected(software: string, proxy: string): boolean {
		const isNew = !this.#connected.has(software);
		const isBack = this.#awaited.has(software);
		this.#awaited.get(software)?.();
		this.#awaited.delete(software);
		const proxies = this.#connected.get(software) ?? new Map();
		const { streams = 0, sinceMs = this.#clock.monotonicMs() } =
			proxies.get(proxy) ?? {};
		proxies.set(proxy, { streams: streams + 1, sinceMs });
		this.#connected.set(software, proxies);
		return isNew && !isBack;
	}

	/** A stream of a proxy has ended. */
	disconnected(software: string, proxy: string): void {
		const proxies = this.#connected.get(software);
		const one = proxies?.get(proxy);
		if (one !== undefined) one.streams -= 1;
		if (one?.streams === 0) proxies?.delete(proxy);
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
