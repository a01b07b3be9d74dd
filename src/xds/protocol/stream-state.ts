// What both kinds of stream share: what was sent, when what may be sent next,
// and what an answer means.
//
//   changed names ──▶ pending names ──▶ one response in flight ──▶ held
//                     (looked up when    (per type)               (acknowledged)
//                      it can be sent)
//
// A name is looked up only when it can be sent, so a proxy that was busy gets
// the newest state and nothing queues up. There is no I/O here and no clock:
// time is an argument.

import type { ChangedNames, ProxyResources } from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";
import { NonceSequence } from "./nonce.ts";
import type { Subscription } from "./subscription.ts";
import { suspectGroups } from "./suspects.ts";
import {
	HeldChanges,
	heldVersion,
	type InFlight,
	type LookReason,
	TypeState,
} from "./type-state.ts";

/**
 * A proxy that reconnects asks for its clusters first and says only in the next
 * requests which routes it still has. A type that was not asked for within this
 * time is taken as not used by this proxy.
 */
const silentTypeMs = 5000;

/**
 * Clusters that stay although nothing points there. When more are to go, the
 * oldest go at once: in Envoy each takes about 30 KB.
 */
const maxResting = 1000;

/** Number of what may be older than any change that this stream has seen. */
export const beforeAnyChange = 0;

/** Envoy joins the failures of a whole response; this much of it is kept. */
const maxMessageLength = 4096;

/** What was in a response, as far as the proxy did not have it before. */
export interface Delivery {
	readonly type: ResourceType;
	readonly resources: readonly Resource[];
	readonly removed: readonly string[];
}

/** A response that the proxy refused, and why in its own words. */
export interface Rejection extends Delivery {
	readonly message: string;
	/** What is at fault for certain, because it was refused alone; the others of `resources` are sent again apart from each other. */
	readonly condemned: readonly Resource[];
}

/** What became of a request. */
export type RequestOutcome =
	/** It asks for more than is allowed; the stream must end. */
	| { readonly op: "refused"; readonly reason: string }
	| {
			readonly op: "taken";
			/** What the proxy still has from an earlier stream, in the form that is current. */
			readonly resumed: Delivery | undefined;
			readonly acknowledged: Delivery | undefined;
			readonly rejected: Rejection | undefined;
	  };

/** A response that is ready to be written. */
export interface Outgoing {
	readonly type: ResourceType;
	readonly nonce: string;
	/** How many resources and removals it carries. */
	readonly count: number;
	/** The encoded message is the concatenation of these. */
	readonly parts: readonly Uint8Array[];
}

/** What is known about one resource on one stream. */
export interface SentResource {
	readonly name: string;
	/** The version sent last, or undefined after a removal. */
	readonly sent: string | undefined;
	/** The version that the proxy has acknowledged. */
	readonly acknowledged: string | undefined;
	readonly rejected: boolean;
}

/** What a response consists of, before it has a nonce. */
export interface Content {
	/** Everything in it, by name; undefined stands for a removal. */
	readonly sent: ReadonlyMap<string, Resource | undefined>;
	/** Those of its resources that the proxy does not have in this form, or asked for again. */
	readonly fresh: readonly Resource[];
	/** Names for which `sent` has what the proxy acknowledged, because it refused what is newer. */
	readonly withheld: ReadonlySet<string>;
	encode(nonce: string): readonly Uint8Array[];
}

/** What a stream is limited to. */
export interface StreamLimits {
	/** Names that one subscription may hold. */
	readonly maxNames: number;
	/** Resources of one type that a proxy may bring from an earlier stream. */
	readonly maxKept: number;
	/** How long a cluster stays after nothing points there any more, for requests that are in flight. */
	readonly removalDelayMs: number;
}

/**
 * The state of one stream: what its proxy asked for, was sent and has
 * acknowledged.
 *
 * Guarantees: at most one response per type is unanswered; clusters and their
 *   endpoints are sent before what may point at them; a cluster is removed only
 *   after the proxy acknowledged that nothing points there, and after a delay
 *   for requests that are in flight. On a delta stream, what points at a new
 *   cluster waits until the proxy has acknowledged it, and only that. What is refused
 *   together is sent again in ever smaller groups until the one at fault is
 *   refused alone and all others are acknowledged; other changes go out in
 *   between. What is not proven goes apart from what is.
 * Expects: calls are made one at a time, with time that does not run backwards.
 */
export abstract class StreamState {
	protected readonly resources: ProxyResources;
	readonly #heldChanges = new HeldChanges();
	protected readonly types: { readonly [T in ResourceType]: TypeState } = {
		cluster: new TypeState(this.#heldChanges),
		endpoint: new TypeState(this.#heldChanges),
		listener: new TypeState(this.#heldChanges),
		route: new TypeState(this.#heldChanges),
		virtualHost: new TypeState(this.#heldChanges),
	};
	/** Number of the last change: orders removals against what pointed there. */
	protected change = 1;
	protected readonly limits: StreamLimits;
	readonly #nonces = new NonceSequence();
	/** Whether a proxy like this one has accepted the resource before. */
	protected readonly isProven: (resource: Resource) => boolean;
	readonly #startedMs: number;
	/** Clusters that the proxy got new and whose endpoints it was not sent since; Envoy does not use them yet. */
	readonly #cold = new Set<string>();
	#wakeAtMs: number | undefined;
	/**
	 * One bit for each type that is worth a look. Each change asks every stream,
	 * and looking into five types of a thousand streams misses every cache.
	 */
	#mayHaveWork = everyType;

	/** @param isProven whether a proxy like this one has accepted the resource before */
	constructor(
		resources: ProxyResources,
		limits: StreamLimits,
		startedMs: number,
		isProven: (resource: Resource) => boolean = () => true,
	) {
		this.isProven = isProven;
		this.resources = resources;
		this.limits = limits;
		this.#startedMs = startedMs;
	}

	/** When `next` is to be asked again although nothing happened; known after it answered undefined. */
	get wakeAtMs(): number | undefined {
		return this.#wakeAtMs;
	}

	/** A nonce for a response that is made elsewhere. */
	nextNonce(): string {
		return this.#nonces.next();
	}

	/** Notes which resources are to be looked at; true when some of them concern this stream. */
	changed(changed: ChangedNames): boolean {
		let concerned = false;
		this.change += 1;
		for (const [type, names] of changed) {
			const state = this.types[type];
			if (state.subscription === undefined) continue;
			for (const name of names) {
				if (!state.held.has(name) && !this.mayHave(type, name)) continue;
				state.look(name, this.change, "changed");
				this.#mayHaveWork |= bitOf[type];
				concerned = true;
			}
		}
		return concerned;
	}

	/** The next response that can be sent now, or undefined when there is none. */
	next(nowMs: number): Outgoing | undefined {
		this.#wakeAtMs = undefined;
		for (const type of sendOrder) {
			if ((this.#mayHaveWork & bitOf[type]) === 0) continue;
			const state = this.types[type];
			if (state.subscription === undefined || state.inFlight !== undefined) {
				// The request that begins or answers it is noted for every type.
				this.#mayHaveWork &= ~bitOf[type];
				continue;
			}
			const hasWork = this.#hasWork(type, state, nowMs);
			if (!hasWork && state.apart.isEmpty) {
				if (state.hasNoRemovals) this.#mayHaveWork &= ~bitOf[type];
				continue;
			}
			let since = state.pending.size === 0 ? this.change : state.pendingSince;
			const changesFirst = hasWork && (state.apart.isEmpty || state.sentApart);
			let content = changesFirst
				? this.#collectChanges(type, state, nowMs)
				: undefined;
			if (content === undefined) {
				content = this.#collectApart(type, state, nowMs);
				// Nobody notes how long each of these has waited.
				if (content !== undefined) since = beforeAnyChange;
			}
			// What went apart and is gone by now has become a change.
			if (!changesFirst && state.pending.size > 0) {
				content ??= this.#collectChanges(type, state, nowMs);
			}
			if (content === undefined) continue;
			return this.#send(type, state, content, since, nowMs);
		}
		return undefined;
	}

	/** Notes that a request came: it may begin, answer or set free any type. */
	protected noteRequest(): void {
		this.#mayHaveWork = everyType;
	}

	/** What is pending, but for what goes apart. */
	#collectChanges(
		type: ResourceType,
		state: TypeState,
		nowMs: number,
	): Content | undefined {
		if (!state.urgent && rebuildsTables(type)) {
			const notBeforeMs = state.pacer.notBeforeMs;
			if (notBeforeMs > nowMs) {
				this.#wakeBy(notBeforeMs);
				return undefined;
			}
		}
		if (state.rejected.size > 0) {
			state.retryRejected(this.change, (name) =>
				this.resources.get(type, name),
			);
		}
		for (const name of state.apart.names) {
			if (!state.pending.has(name)) continue;
			// What is gone is removed now; anything else is looked up when the turn of its group comes.
			if (this.resources.get(type, name) === undefined) {
				state.apart.delete(name);
				state.look(name, beforeAnyChange, "changed");
			} else state.pending.delete(name);
		}
		const content = this.collect(type, state, state.pending, nowMs);
		state.urgent = false;
		if (content !== undefined) state.sentApart = false;
		return content;
	}

	/** The next group of those that go apart, if something of it is still to be sent. */
	#collectApart(
		type: ResourceType,
		state: TypeState,
		nowMs: number,
	): Content | undefined {
		while (!state.apart.isEmpty) {
			const names = new Map<string, LookReason>();
			for (const name of state.apart.take()) {
				const isThere = this.resources.get(type, name) !== undefined;
				if (isThere) names.set(name, "retry");
				else state.look(name, beforeAnyChange, "retry");
			}
			if (names.size === 0) continue;
			const content = this.collect(type, state, names, nowMs);
			if (content === undefined) continue;
			state.sentApart = true;
			return content;
		}
		return undefined;
	}

	/** Number of names and wildcard of one subscription; undefined before its first request. */
	subscribed(
		type: ResourceType,
	): { readonly wildcard: boolean; readonly names: number } | undefined {
		const subscription = this.types[type].subscription;
		if (subscription === undefined) return undefined;
		return {
			wildcard: subscription.wildcard,
			names: subscription.names.size,
		};
	}

	/** What was sent and acknowledged of one type. */
	*sentResources(type: ResourceType): Iterable<SentResource> {
		const { held, rejected, inFlight } = this.types[type];
		const names = new Set(held.keys());
		for (const name of rejected.keys()) names.add(name);
		for (const name of inFlight?.sent.keys() ?? []) names.add(name);
		for (const name of names) {
			const has = held.get(name);
			const acknowledged = has && heldVersion(has);
			const sent = inFlight?.sent.has(name)
				? inFlight.sent.get(name)?.version
				: rejected.has(name)
					? rejected.get(name)?.version
					: acknowledged;
			const isCondemned = this.types[type].isCondemned(name);
			yield { name, sent, acknowledged, rejected: isCondemned };
		}
	}

	/** Versions that the proxy came to have, and no longer has, since the last call. */
	takeHeldChanges(): HeldChanges {
		const { gained, lost } = this.#heldChanges;
		this.#heldChanges.gained = [];
		this.#heldChanges.lost = [];
		return { gained, lost };
	}

	/** The version that the proxy has acknowledged of one name. */
	heldVersion(type: ResourceType, name: string): string | undefined {
		const held = this.types[type].held.get(name);
		return held === undefined ? undefined : heldVersion(held);
	}

	/** The version of this name that the proxy rejected alone and that was not replaced since. */
	rejectedVersion(type: ResourceType, name: string): string | undefined {
		const state = this.types[type];
		return state.isCondemned(name)
			? state.rejected.get(name)?.version
			: undefined;
	}

	/** Whether the proxy has asked for every type of which there is something, and has answered for all of it. */
	get isSettled(): boolean {
		return [
			"cluster" as const,
			"endpoint" as const,
			...this.pointingAtClusters,
		].every((type) => {
			const state = this.types[type];
			return state.subscription === undefined
				? isEmpty(this.resources.names(type))
				: state.inFlight === undefined &&
						state.pending.size === 0 &&
						state.apart.isEmpty &&
						!state.mustAnswer;
		});
	}

	/** What the proxy has acknowledged of one type, but for what it kept from an earlier stream in a form that is no longer known. */
	*acknowledged(type: ResourceType): Iterable<Resource> {
		for (const held of this.types[type].held.values()) {
			if (typeof held === "object") yield held;
		}
	}

	/** The subscription to a type, which begins with its first request. */
	protected subscription(type: ResourceType): Subscription {
		return this.types[type].begin(
			(name) => this.resources.get(type, name)?.name ?? name,
		);
	}

	/** Whether the subscription allows the proxy to have this resource. */
	protected mayHave(type: ResourceType, name: string): boolean {
		return this.types[type].subscription?.covers(name) === true;
	}

	/**
	 * What the next response of this type holds, of these names; undefined when
	 * nothing is to be sent. What it has looked at is no longer pending; what is not
	 * proven is set apart if the response has something else, but for names that
	 * are to be tried again.
	 */
	protected abstract collect(
		type: ResourceType,
		state: TypeState,
		names: ReadonlyMap<string, LookReason>,
		nowMs: number,
	): Content | undefined;

	/** Whether each response of this type is the whole state: what it does not hold is gone. */
	protected isFullState(_type: ResourceType): boolean {
		return false;
	}

	/** Types with resources that may point at a cluster. */
	protected abstract readonly pointingAtClusters: readonly ResourceType[];

	/** Whether there is work besides pending names. */
	protected hasOtherWork(_type: ResourceType): boolean {
		return false;
	}

	/**
	 * Whether a resource points at a cluster that the proxy is to have and has not
	 * acknowledged yet, or whose endpoints it was not sent. One that it refuses for
	 * certain is not waited for: what else the resource says must not suffer.
	 */
	protected mustWaitForOwnClusters({ clusters = [] }: Resource): boolean {
		const state = this.types.cluster;
		if (state.subscription === undefined) return false;
		return clusters.some((name) => {
			if (!this.mayHave("cluster", name)) return false;
			if (this.resources.get("cluster", name) === undefined) return false;
			const isGoing =
				state.inFlight?.sent.has(name) === true && !state.hasSent(name);
			if (!isGoing && state.held.has(name)) return this.#isCold(name);
			return !state.isCondemned(name);
		});
	}

	/** Whether a cluster that the proxy has cannot be used before its endpoints are sent. */
	#isCold(cluster: string): boolean {
		return (
			this.#cold.has(cluster) &&
			this.types.endpoint.subscription !== undefined &&
			this.resources.get("endpoint", cluster) !== undefined
		);
	}

	/** What is to be removed now; it no longer counts as going. */
	protected takeRemovals(
		type: ResourceType,
		state: TypeState,
		nowMs: number,
	): readonly string[] {
		const taken: string[] = [];
		if (type === "cluster") {
			this.#rest(state, nowMs);
			for (const [name, sinceMs] of state.resting) {
				if (!this.#hasRested(state, sinceMs, nowMs)) break;
				state.resting.delete(name);
				taken.push(name);
			}
			return taken;
		}
		for (const [name, change] of state.removals) {
			if (!this.#mayBeRemoved(type, name, change, nowMs)) continue;
			state.removals.delete(name);
			taken.push(name);
		}
		return taken;
	}

	/**
	 * Begins the rest of the clusters at which nothing points any more. A request
	 * that a rule delays, or that is tried again, looks for its cluster long after
	 * its route was chosen.
	 */
	#rest(state: TypeState, nowMs: number): void {
		if (state.removals.size === 0) return;
		const kept = this.#keptClusters();
		if (kept === "any") return;
		for (const [name, change] of state.removals) {
			// They stand in the order in which they went: what must wait for an older change must wait for the newer ones, too.
			if (!this.#nothingPointsSince(change, nowMs)) return;
			if (kept.has(name)) continue;
			state.removals.delete(name);
			state.resting.set(name, nowMs);
		}
	}

	/**
	 * Clusters at which something points that the proxy goes on using, because it
	 * refused what should have replaced it; "any" when nobody knows what that says.
	 */
	#keptClusters(): ReadonlySet<string> | "any" {
		const kept = new Set<string>();
		for (const type of this.pointingAtClusters) {
			const { held, rejected } = this.types[type];
			for (const name of rejected.keys()) {
				const older = held.get(name);
				if (typeof older === "string") return "any";
				for (const cluster of older?.clusters ?? []) kept.add(cluster);
			}
		}
		return kept;
	}

	#nothingPointsSince(change: number, nowMs: number): boolean {
		return this.pointingAtClusters.every((pointing) =>
			this.#isSettled(pointing, change, nowMs),
		);
	}

	#hasRested(state: TypeState, sinceMs: number, nowMs: number): boolean {
		const untilMs = sinceMs + this.limits.removalDelayMs;
		if (untilMs <= nowMs || state.resting.size > maxResting) return true;
		this.#wakeBy(untilMs);
		return false;
	}

	/** Whether nothing points any more at a resource that was gone at `change`; clusters rest besides. */
	#mayBeRemoved(
		type: Exclude<ResourceType, "cluster">,
		name: string,
		change: number,
		nowMs: number,
	): boolean {
		switch (type) {
			case "endpoint":
				// Envoy drops the endpoints with the cluster: of one that is to go, they go after it.
				return (
					!this.types.cluster.hasSent(name) ||
					this.resources.get("cluster", name) !== undefined
				);
			case "route":
				return (
					this.#isSettled("listener", change, nowMs) &&
					!this.#keepsOlderListener()
				);
			case "listener":
			case "virtualHost":
				return true;
		}
	}

	/** Whether the proxy got a cluster new and was not sent its endpoints since. */
	protected awaitsEndpoints(cluster: string): boolean {
		return this.#cold.has(cluster);
	}

	/** Notes that the proxy has a cluster and not its endpoints. */
	protected noteCold(cluster: string): void {
		this.#cold.add(cluster);
	}

	/** Notes that the proxy has the endpoints of a cluster. */
	protected noteWarm(cluster: string): void {
		this.#cold.delete(cluster);
	}

	/** Notes that the proxy does not have a cluster any more; Envoy drops its endpoints with it. */
	protected loseCluster(cluster: string): void {
		this.#cold.delete(cluster);
		this.types.endpoint.lose(cluster);
	}

	/** Takes the answer to a response; nothing happens when the nonce is not that of the response in flight. */
	protected settle(
		type: ResourceType,
		nonce: string,
		error: string | undefined,
		nowMs: number,
	): {
		readonly acknowledged: Delivery | undefined;
		readonly rejected: Rejection | undefined;
	} {
		const state = this.types[type];
		const inFlight = state.inFlight;
		if (inFlight === undefined || inFlight.nonce !== nonce) {
			return { acknowledged: undefined, rejected: undefined };
		}
		state.inFlight = undefined;
		state.pacer.answered(nowMs);
		if (error === undefined) {
			const acknowledged = this.#acknowledge(type, state, inFlight);
			return { acknowledged, rejected: undefined };
		}
		const refused = reject(type, state, inFlight.sent);
		const condemned = this.#isolate(type, state, inFlight, refused, error);
		const message = error.slice(0, maxMessageLength);
		return {
			acknowledged: undefined,
			rejected: { ...refused, condemned, message },
		};
	}

	/** Has what was refused together sent again apart; answers what was refused alone. */
	#isolate(
		type: ResourceType,
		state: TypeState,
		{ sent, since }: InFlight,
		{ resources, removed }: Delivery,
		error: string,
	): readonly Resource[] {
		if (resources.length === 0) return [];
		for (const name of removed) {
			// No proxy has a reason to refuse a removal; it came with what was refused.
			state.rejected.delete(name);
			state.look(name, since, "changed");
		}
		const names = resources.map(({ name }) => name);
		const isRefused = new Set(names);
		// A list that is the whole state has these every time.
		const others = this.isFullState(type)
			? []
			: [...sent.keys()].filter(
					(name) => !isRefused.has(name) && sent.get(name) !== undefined,
				);
		if (names.length === 1) {
			state.apart.first([others]);
			return resources;
		}
		const [first = [], ...rest] = suspectGroups(names, error);
		state.apart.first([[...others, ...first], ...rest]);
		return [];
	}

	#acknowledge(
		type: ResourceType,
		state: TypeState,
		{ sent, withheld }: InFlight,
	): Delivery {
		const resources: Resource[] = [];
		const removed: string[] = [];
		for (const [name, resource] of sent) {
			if (withheld.has(name)) continue;
			state.rejected.delete(name);
			if (resource === undefined) {
				state.lose(name);
				if (type === "cluster") this.loseCluster(name);
				removed.push(name);
			} else if (this.mayHave(type, name)) {
				if (state.held.get(name) !== resource) resources.push(resource);
				state.hold(name, resource);
			}
		}
		return { type, resources, removed };
	}

	#send(
		type: ResourceType,
		state: TypeState,
		content: Content,
		since: number,
		nowMs: number,
	): Outgoing {
		if (type === "cluster") {
			for (const { name } of content.fresh) {
				if (this.resources.get("endpoint", name) === undefined) continue;
				// Envoy warms a cluster until it is told its endpoints, also after an update, and does not ask again.
				this.types.endpoint.look(name, this.change, "forced");
				if (!state.held.has(name)) this.#cold.add(name);
			}
		}
		if (type === "endpoint") {
			for (const [name, resource] of content.sent) {
				if (resource !== undefined) this.noteWarm(name);
			}
		}
		// Resources of the other types have others looked at when they are sent.
		if (type !== "virtualHost") this.#mayHaveWork = everyType;
		const nonce = this.#nonces.next();
		const { sent, withheld } = content;
		state.inFlight = { nonce, sent, withheld, since };
		state.lastNonce = nonce;
		state.mustAnswer = false;
		state.pacer.sent(nowMs);
		return {
			type,
			nonce,
			count: content.sent.size,
			parts: content.encode(nonce),
		};
	}

	#hasWork(type: ResourceType, state: TypeState, nowMs: number): boolean {
		if (state.pending.size > 0 || state.mustAnswer) return true;
		if (this.hasOtherWork(type)) return true;
		return this.#hasRemovals(type, state, nowMs);
	}

	#hasRemovals(type: ResourceType, state: TypeState, nowMs: number): boolean {
		// Asked of every type of every stream for each change: nothing is made where there is nothing.
		if (type === "cluster") {
			if (state.hasNoRemovals) return false;
			this.#rest(state, nowMs);
			for (const sinceMs of state.resting.values()) {
				return this.#hasRested(state, sinceMs, nowMs);
			}
			return false;
		}
		if (state.removals.size === 0) return false;
		for (const [name, change] of state.removals) {
			if (this.#mayBeRemoved(type, name, change, nowMs)) return true;
		}
		return false;
	}

	/** Whether the proxy goes on with a listener that it did not let be replaced, which may name any route configuration. */
	#keepsOlderListener(): boolean {
		const { held, rejected } = this.types.listener;
		for (const name of rejected.keys()) if (held.has(name)) return true;
		return false;
	}

	/** Whether the proxy has answered for everything of this type up to a change. */
	#isSettled(type: ResourceType, change: number, nowMs: number): boolean {
		const state = this.types[type];
		if (state.subscription === undefined) {
			const silentAtMs = this.#startedMs + silentTypeMs;
			if (nowMs >= silentAtMs) return true;
			this.#wakeBy(silentAtMs);
			return false;
		}
		if (state.pending.size > 0 && state.pendingSince <= change) return false;
		if (!state.apart.isEmpty) return false;
		if (state.inFlight !== undefined && state.inFlight.since <= change) {
			return false;
		}
		return state.removals.size === 0;
	}

	#wakeBy(atMs: number): void {
		this.#wakeAtMs = Math.min(this.#wakeAtMs ?? atMs, atMs);
	}
}

const bitOf: { readonly [T in ResourceType]: number } = {
	cluster: 1,
	endpoint: 2,
	listener: 4,
	route: 8,
	virtualHost: 16,
};
const everyType = 31;

/** Types of which each response makes Envoy build a route table anew. */
function rebuildsTables(type: ResourceType): boolean {
	return type === "virtualHost" || type === "route";
}

function isEmpty(names: Iterable<string>): boolean {
	for (const _ of names) return false;
	return true;
}

/** Only what the proxy does not have yet can be what it rejected. */
function reject(
	type: ResourceType,
	state: TypeState,
	sent: ReadonlyMap<string, Resource | undefined>,
): Delivery {
	const resources: Resource[] = [];
	const removed: string[] = [];
	for (const [name, resource] of sent) {
		const held = state.held.get(name);
		if (resource === undefined) {
			if (held === undefined) continue;
			state.rejected.set(name, undefined);
			removed.push(name);
		} else if (held === undefined || heldVersion(held) !== resource.version) {
			state.rejected.set(name, resource);
			resources.push(resource);
		}
	}
	return { type, resources, removed };
}
