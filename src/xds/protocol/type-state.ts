import { memoByInputs } from "../../lib/memo.ts";
import type { SharedSet } from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import { Apart } from "./apart.ts";
import { Pacer } from "./pacer.ts";
import type { Sent } from "./sent.ts";
import { SharedBases, SharedMap } from "./shared-map.ts";
import { Subscription } from "./subscription.ts";

/** What the proxy has of one name: the resource, or the version it named when it reconnected. */
export type Held = Resource | string;

/** The version of what a proxy has. */
export function heldVersion(held: Held): string {
	return typeof held === "string" ? held : held.version;
}

const heldByProxies = new SharedBases<Held>();

/** A response that was neither acknowledged nor rejected yet. */
export interface InFlight {
	readonly nonce: string;
	/** What was in it. */
	readonly sent: Sent;
	/** Names for which `sent` has what the proxy acknowledged, because it refused what is newer. */
	readonly withheld: ReadonlySet<string>;
	/** Number of the oldest change that it carries. */
	readonly since: number;
}

/** Number of what may be older than any change that a stream has seen. */
export const beforeAnyChange = 0;

/** Why a name is looked at, the stronger reason last. */
const reasons = ["changed", "retry", "forced"] as const;

/**
 * Why a name is looked at: it may have `changed`; it was rejected together with
 * something that has changed since and deserves a `retry`; or the proxy is to
 * get it even if it has it (`forced`).
 */
export type LookReason = (typeof reasons)[number];

const lookedAtByProxies = new SharedBases<LookReason>();

/** Whether names are among others, for the same reasons. Neither may change any more. */
const includesEntries = memoByInputs(
	(
		all: ReadonlyMap<string, LookReason>,
		some: ReadonlyMap<string, LookReason>,
	) => [...some].every(([name, reason]) => all.get(name) === reason),
);

/** Versions that the proxy came to have, and no longer has, since someone last looked. */
export class HeldChanges {
	gained: string[] = [];
	lost: string[] = [];
	/** What it came to have besides, when it had nothing. */
	filled: SharedSet[] = [];
}

/**
 * Everything that is known about one type on one stream. It holds references to
 * shared resources and names of what to look at, never a history.
 */
export class TypeState {
	/** Undefined until the first request of this type. */
	subscription: Subscription | undefined;
	readonly #held = new SharedMap(heldByProxies);
	readonly #changes: HeldChanges;
	/** What it rejected and did not get anything else for since; undefined stands for a removal. */
	readonly rejected = new Map<string, Resource | undefined>();
	/** Names to look at, and why. */
	readonly pending = new SharedMap(lookedAtByProxies);
	/** Number of the oldest change in `pending`. */
	pendingSince = 0;
	/** Names that are gone but that something may still point at, with the number of the change that removed them. */
	readonly removals = new Map<string, number>();
	/** Names that are gone and that nothing points at any more, with the time since when; the oldest first. */
	readonly resting = new Map<string, number>();
	/** Names that wait for responses of their own. */
	readonly apart = new Apart();
	/** The last response was of a group from `apart`, so other changes are next. */
	sentApart = false;
	inFlight: InFlight | undefined;
	/** Nonce of the last response, answered or not. */
	lastNonce = "";
	/** The proxy waits for a response, even if it is empty. */
	mustAnswer = false;
	/** What is pending was asked for: no pause may hold it up. */
	urgent = false;
	readonly pacer = new Pacer();

	constructor(changes: HeldChanges) {
		this.#changes = changes;
	}

	/** What the proxy has acknowledged, by name. */
	get held(): Pick<
		SharedMap<Held>,
		| "entries"
		| "get"
		| "has"
		| "includesAll"
		| "keys"
		| "lacking"
		| "size"
		| "values"
	> {
		return this.#held;
	}

	/** Notes that the proxy has this now, in the place of what it had. */
	hold(name: string, held: Held): void {
		const before = this.#held.set(name, held);
		const version = heldVersion(held);
		if (before !== undefined) {
			if (heldVersion(before) === version) return;
			this.#changes.lost.push(heldVersion(before));
		}
		this.#changes.gained.push(version);
	}

	/** Whether the proxy has nothing yet, and has refused nothing. */
	get isUntouched(): boolean {
		return this.#held.size === 0 && this.rejected.size === 0;
	}

	/** Notes that the proxy has these now, and had nothing before. */
	fill(shared: SharedSet): void {
		this.#changes.filled.push(shared);
		this.#held.fill(shared);
	}

	/** Notes that the proxy has nothing of this name any more. */
	lose(name: string): void {
		const before = this.#held.delete(name);
		if (before === undefined) return;
		this.#changes.lost.push(heldVersion(before));
	}

	/** Shares with other proxies what all of them have. Whoever has changed much calls this at the end. */
	share(): void {
		this.#held.share();
	}

	/** The subscription, which begins when there is none. */
	begin(shared: (name: string) => string): Subscription {
		if (this.subscription === undefined) {
			this.subscription = new Subscription(shared);
			this.urgent = true;
		}
		return this.subscription;
	}

	/** Notes that a name is to be looked at, because of change number `change`. */
	look(name: string, change: number, reason: LookReason): void {
		this.pendingSince =
			this.pending.size === 0 ? change : Math.min(this.pendingSince, change);
		const other = this.pending.get(name);
		const isStronger =
			other === undefined || reasons.indexOf(reason) > reasons.indexOf(other);
		if (isStronger) this.pending.set(name, reason);
		if (reason === "forced") this.urgent = true;
	}

	/** Notes that names are to be looked at, each for the same reason; usually none was yet, or all were. */
	lookAll(names: ReadonlyMap<string, LookReason>, change: number): void {
		const { base, own } = this.pending.parts;
		if (this.pending.size === 0) {
			this.pending.adopt(names);
			this.pendingSince = change;
		} else if (own.size === 0 && includesEntries(base, names)) {
			this.pendingSince = Math.min(this.pendingSince, change);
		} else {
			for (const [name, reason] of names) this.look(name, change, reason);
		}
		const [reason] = names.values();
		if (reason === "forced") this.urgent = true;
	}

	/**
	 * Has everything else that was rejected tried again, in a response of its own,
	 * if one of the names to look at was rejected and is something else by now:
	 * two that were refused because of each other may both be right after that.
	 */
	retryRejected(
		change: number,
		current: (name: string) => Resource | undefined,
	): void {
		if (this.rejected.size === 0) return;
		const isOther = (name: string): boolean =>
			this.rejected.has(name) &&
			this.rejected.get(name)?.version !== current(name)?.version;
		if (![...this.pending.keys()].some(isOther)) return;
		const others: string[] = [];
		for (const [name, rejected] of this.rejected) {
			if (this.pending.has(name)) continue;
			if (rejected === undefined) this.look(name, change, "retry");
			else others.push(name);
		}
		this.apart.last(others);
	}

	/** Whether the newest form of this name is not to be in a response that is about others. */
	isWithheld(name: string): boolean {
		return this.rejected.get(name) !== undefined || this.apart.names.has(name);
	}

	/** Whether the proxy refused this name alone, so that it is known to be at fault. */
	isCondemned(name: string): boolean {
		return (
			this.rejected.has(name) &&
			!this.apart.names.has(name) &&
			!(
				this.inFlight?.sent.has(name) === true &&
				!this.inFlight.withheld.has(name)
			)
		);
	}

	/** Whether nothing waits to be removed. */
	get hasNoRemovals(): boolean {
		return this.removals.size === 0 && this.resting.size === 0;
	}

	/** Forgets a name that the proxy no longer wants. */
	forget(name: string): void {
		this.lose(name);
		this.rejected.delete(name);
		this.pending.delete(name);
		this.apart.delete(name);
		this.stay(name);
	}

	/** Notes that a name is gone: it is to be removed as soon as it may be. */
	go(name: string, change: number): void {
		this.resting.delete(name);
		this.removals.set(name, change);
	}

	/** Notes that a name is not to be removed. */
	stay(name: string): void {
		// Asked of thousands of names at a time, when usually nothing goes.
		if (this.removals.size > 0) this.removals.delete(name);
		if (this.resting.size > 0) this.resting.delete(name);
	}

	/** Whether the proxy has something else of this name, or rejected something else since. */
	lacks(resource: Resource): boolean {
		if (this.rejected.size > 0 && this.rejected.has(resource.name)) {
			return this.rejected.get(resource.name)?.version !== resource.version;
		}
		const held = this.held.get(resource.name);
		return held === undefined || heldVersion(held) !== resource.version;
	}

	/** Whether the proxy refused to remove what it has of this name. */
	rejectedRemoval(name: string): boolean {
		return this.rejected.has(name) && this.rejected.get(name) === undefined;
	}

	/** Whether a resource of this name was sent, answered or not, and not removed since. */
	hasSent(name: string): boolean {
		const inFlight = this.inFlight;
		if (inFlight?.sent.has(name) && !inFlight.withheld.has(name)) {
			return inFlight.sent.get(name) !== undefined;
		}
		return this.held.has(name) || this.rejected.get(name) !== undefined;
	}
}
