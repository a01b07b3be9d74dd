import { memoByInput } from "../../lib/memo.ts";
import { SharedBases, SharedMap } from "./shared-map.ts";

/** A request to change a subscription by increments, or the first one of a delta stream. */
export interface NameChange {
	readonly subscribe: readonly string[];
	readonly unsubscribe: readonly string[];
}

/** What a change of a subscription means for what is sent. */
export interface SubscriptionChange {
	/** Names that were asked for, also if they were subscribed already: they must be answered. */
	readonly asked: readonly string[];
	/** Names that are no longer subscribed by name; a wildcard may still cover them. */
	readonly dropped: readonly string[];
	/** Every resource was asked for. */
	readonly wildcardAsked: boolean;
	/** What only the wildcard covered is no longer wanted. */
	readonly wildcardEnded: boolean;
}

const wildcardName = "*";

const namesOfProxies = new SharedBases<true>();

const asMap = memoByInput(
	(names: readonly string[]): ReadonlyMap<string, true> =>
		new Map(names.map((name) => [name, true])),
);

/**
 * What a proxy asked for, of one type. See xDS protocol, "How the client
 * specifies what resources to return".
 *
 * A wildcard is asked for by `*`, or, in the older way, by a first request
 * without names; after that, a list that is empty means nothing at all.
 */
export class Subscription {
	readonly #names = new SharedMap(namesOfProxies);
	readonly #shared: (name: string) => string;
	#wildcard = false;
	/** A name was asked for once: no names no longer means all of them. */
	#named = false;
	#begun = false;

	/**
	 * @param shared the same name as a string that others hold too: thousands of
	 *   proxies ask for the same thousands of names
	 */
	constructor(shared: (name: string) => string) {
		this.#shared = shared;
	}

	/** The names that were asked for, without `*`. */
	get names(): Pick<SharedMap<true>, "has" | "keys" | "size"> {
		return this.#names;
	}

	/** Whether every resource is wanted. */
	get wildcard(): boolean {
		return this.#wildcard;
	}

	/** Whether a resource of this name is wanted. */
	covers(name: string): boolean {
		return this.#wildcard || this.#names.has(name);
	}

	/** Whether all resources of these names, which never change, are wanted. */
	coversAll(names: ReadonlyMap<string, unknown>): boolean {
		return this.#wildcard || this.#names.includesAll(names);
	}

	/** How many names there would be after subscribing to more of them. */
	countWith(subscribe: readonly string[]): number {
		let added = 0;
		const seen = new Set<string>();
		for (const name of subscribe) {
			if (this.#names.has(name) || seen.has(name)) continue;
			seen.add(name);
			added += 1;
		}
		return this.#names.size + added;
	}

	/**
	 * Applies a delta request. A name in both lists ends up subscribed.
	 *
	 * @param mayBeLegacyWildcard whether a first request without names asks for everything
	 */
	change(change: NameChange, mayBeLegacyWildcard: boolean): SubscriptionChange {
		const isFirst = !this.#begun;
		this.#begun = true;
		const dropped: string[] = [];
		let wildcardEnded = false;
		for (const name of change.unsubscribe) {
			if (name === wildcardName) {
				wildcardEnded = this.#wildcard;
				this.#wildcard = false;
			} else if (this.#names.delete(name) !== undefined) dropped.push(name);
		}
		let asked: readonly string[] = [];
		let wildcardAsked =
			isFirst && mayBeLegacyWildcard && change.subscribe.length === 0;
		if (this.#isFilledBy(change.subscribe)) asked = change.subscribe;
		else {
			const added: string[] = [];
			for (const name of change.subscribe) {
				if (name === wildcardName) wildcardAsked = true;
				else added.push(this.#add(name));
			}
			this.#names.share();
			asked = added;
		}
		if (wildcardAsked) {
			this.#wildcard = true;
			wildcardEnded = false;
		}
		return { asked, dropped, wildcardAsked, wildcardEnded };
	}

	/**
	 * Replaces the list, as a state-of-the-world request does. Only names that
	 * were not there before count as asked for.
	 *
	 * @param mayBeLegacyWildcard whether no names ask for everything as long as none was ever given
	 */
	replace(
		names: readonly string[],
		mayBeLegacyWildcard: boolean,
	): SubscriptionChange {
		this.#begun = true;
		const wanted = new Set(names);
		const star = wanted.delete(wildcardName);
		if (star || wanted.size > 0) this.#named = true;
		const wildcard = star || (mayBeLegacyWildcard && !this.#named);
		const wildcardAsked = wildcard && !this.#wildcard;
		const wildcardEnded = !wildcard && this.#wildcard;
		this.#wildcard = wildcard;
		const dropped: string[] = [];
		for (const name of this.#names.keys()) {
			if (!wanted.has(name)) dropped.push(name);
		}
		for (const name of dropped) this.#names.delete(name);
		const asked: string[] = [];
		for (const name of wanted) {
			if (!this.#names.has(name)) asked.push(this.#add(name));
		}
		this.#names.share();
		return { asked, dropped, wildcardAsked, wildcardEnded };
	}

	/** Takes many names at once when there is none yet; answers whether it has. */
	#isFilledBy(names: readonly string[]): boolean {
		if (names.length === 0 || this.#names.size > 0) return false;
		const map = asMap(names);
		if (map.has(wildcardName)) return false;
		this.#names.fill(map);
		return true;
	}

	#add(name: string): string {
		const shared = this.#shared(name);
		this.#names.set(shared, true);
		return shared;
	}
}
