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

import type {
	ChangedNames,
	ProxyResources,
	SharedSet,
} from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";
import { ClusterReadiness } from "./cluster-readiness.ts";
import type { Content, Outgoing } from "./content.ts";
import type { Delivery, Rejection } from "./delivery.ts";
import { NonceSequence } from "./nonce.ts";
import { noteRefusal } from "./refusal.ts";
import { Removals } from "./removals.ts";
import type { Sent } from "./sent.ts";
import { type SentResource, sentResources } from "./sent-resources.ts";
import { endpointsToSend, listOf } from "./shared-set.ts";
import type { StreamLimits } from "./stream-limits.ts";
import type { Subscription } from "./subscription.ts";
import {
	beforeAnyChange,
	HeldChanges,
	heldVersion,
	type InFlight,
	type LookReason,
	TypeState,
} from "./type-state.ts";
import type { TypeStates } from "./type-states.ts";

/** What a stream is made of. */
export interface StreamOptions {
	readonly resources: ProxyResources;
	readonly limits: StreamLimits;
	readonly startedMs: number;
	/** Whether a proxy like this one has accepted the resource before. */
	readonly isProven: ((resource: Resource) => boolean) | undefined;
	/** Types with resources that may point at a cluster. */
	readonly pointingAtClusters: readonly ResourceType[];
}

/**
 * The state of one stream: what its proxy asked for, was sent and has
 * acknowledged.
 *
 * Guarantees: at most one response per type is unanswered; clusters and their
 *   endpoints are sent before what may point at them; a cluster is removed only
 *   after the proxy acknowledged that nothing points there, and after a delay
 *   for requests that are in flight. What points at a new cluster waits until the
 *   proxy has acknowledged it and was sent its endpoints, and only that waits. What
 *   is refused together is sent again in ever smaller groups until the one at fault is
 *   refused alone and all others are acknowledged; other changes go out in
 *   between. What is not proven goes apart from what is.
 * Expects: calls are made one at a time, with time that does not run backwards.
 */
export abstract class StreamState {
	protected readonly resources: ProxyResources;
	readonly #heldChanges = new HeldChanges();
	protected readonly types: TypeStates = {
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
	readonly #pointingAtClusters: readonly ResourceType[];
	protected readonly readiness: ClusterReadiness;
	protected readonly removals: Removals;
	#wakeAtMs: number | undefined;
	/**
	 * One bit for each type that is worth a look. Each change asks every stream,
	 * and looking into five types of a thousand streams misses every cache.
	 */
	#mayHaveWork = everyType;

	constructor(options: StreamOptions) {
		const { resources, limits, startedMs, pointingAtClusters } = options;
		this.isProven = options.isProven ?? (() => true);
		this.resources = resources;
		this.limits = limits;
		this.#pointingAtClusters = pointingAtClusters;
		const { types } = this;
		this.readiness = new ClusterReadiness(resources, types);
		this.removals = new Removals({
			resources,
			types,
			pointingAtClusters,
			removalDelayMs: limits.removalDelayMs,
			startedMs,
			wakeBy: (atMs) => this.#wakeBy(atMs),
		});
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
				const isNothing =
					!state.held.has(name) &&
					!this.mayHave(type, name) &&
					// What is under way may be wanted again by the time it arrives.
					!state.hasSent(name);
				if (isNothing) continue;
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
			// Nobody notes how long what goes apart, or is to be removed, has waited.
			const hasOnlyChanges =
				state.pending.size > 0 && state.removals.size === 0;
			let since = hasOnlyChanges ? state.pendingSince : beforeAnyChange;
			const changesFirst = hasWork && (state.apart.isEmpty || state.sentApart);
			let content = changesFirst
				? this.#collectChanges(type, state, nowMs)
				: undefined;
			if (content === undefined) {
				content = this.#collectApart(type, state, nowMs);
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
	sentResources(type: ResourceType): Iterable<SentResource> {
		return sentResources(this.types[type]);
	}

	/** Versions that the proxy came to have, and no longer has, since the last call; undefined when there are none. */
	takeHeldChanges(): HeldChanges | undefined {
		const { gained, lost, filled } = this.#heldChanges;
		if (gained.length + lost.length + filled.length === 0) return undefined;
		this.#heldChanges.gained = [];
		this.#heldChanges.lost = [];
		this.#heldChanges.filled = [];
		return { gained, lost, filled };
	}

	/** The version that the proxy has acknowledged of one name. */
	heldVersion(type: ResourceType, name: string): string | undefined {
		const held = this.types[type].held.get(name);
		return held === undefined ? undefined : heldVersion(held);
	}

	/** Those of some resources, which never change, that the proxy has not acknowledged. */
	*lacked(type: ResourceType, all: SharedSet): Iterable<Resource> {
		for (const name of this.types[type].held.lacking(all)) {
			const resource = all.get(name);
			if (resource === undefined) continue;
			if (this.heldVersion(type, name) !== resource.version) yield resource;
		}
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
			...this.#pointingAtClusters,
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

	/** Whether the subscription allows the proxy to have all of these; may answer false although it does. */
	protected surelyMayHave(type: ResourceType, resources: SharedSet): boolean {
		return this.types[type].subscription?.coversAll(resources) === true;
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
		names: Iterable<readonly [string, LookReason]>,
		nowMs: number,
	): Content | undefined;

	/** Whether each response of this type is the whole state: what it does not hold is gone. */
	protected isFullState(_type: ResourceType): boolean {
		return false;
	}

	/** Whether there is work besides pending names. */
	protected hasOtherWork(_type: ResourceType): boolean {
		return false;
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
		const isFullState = this.isFullState(type);
		const refusal = noteRefusal(state, inFlight, { error, isFullState });
		return { acknowledged: undefined, rejected: { type, ...refusal } };
	}

	#acknowledge(
		type: ResourceType,
		state: TypeState,
		{ sent, withheld }: InFlight,
	): Delivery {
		const resources: Resource[] = [];
		const removed: string[] = [];
		let others: Iterable<readonly [string, Resource | undefined]> = sent;
		if (
			withheld.size === 0 &&
			state.isUntouched &&
			this.surelyMayHave(type, sent.shared)
		) {
			state.fill(sent.shared);
			resources.push(...listOf(sent.shared));
			others = sent.others;
		}
		for (const [name, resource] of others) {
			if (withheld.has(name)) continue;
			state.rejected.delete(name);
			if (resource === undefined) {
				state.lose(name);
				if (type === "cluster") this.readiness.lose(name);
				removed.push(name);
			} else if (this.mayHave(type, name)) {
				if (state.held.get(name) !== resource) resources.push(resource);
				state.hold(name, resource);
			}
		}
		state.share();
		return { type, resources, removed };
	}

	#send(
		type: ResourceType,
		state: TypeState,
		content: Content,
		since: number,
		nowMs: number,
	): Outgoing {
		if (type === "cluster") this.#sendEndpointsOf(content);
		if (type === "endpoint") this.#noteWarm(content.sent);
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

	/** Envoy warms a cluster until it is told its endpoints, also after an update, and does not ask again. */
	#sendEndpointsOf({ sent, fresh }: Content): void {
		const { cluster, endpoint } = this.types;
		const send = (name: string): void => {
			if (this.resources.get("endpoint", name) === undefined) return;
			endpoint.look(name, this.change, "forced");
			if (!cluster.held.has(name)) this.readiness.noteCold(name);
		};
		if (sent.shared.size > 0) {
			const endpoints = this.resources.split("endpoint");
			const names = endpointsToSend(sent.shared, endpoints.shared);
			endpoint.lookAll(names, this.change);
			this.readiness.noteAllCold(names);
			for (const name of endpoints.others)
				if (sent.shared.has(name)) send(name);
		}
		for (const { name } of fresh) send(name);
	}

	#noteWarm({ shared, others }: Sent): void {
		this.readiness.noteAllWarm(shared);
		for (const [name, resource] of others)
			if (resource !== undefined) this.readiness.noteWarm(name);
	}

	#hasWork(type: ResourceType, state: TypeState, nowMs: number): boolean {
		if (state.pending.size > 0 || state.mustAnswer) return true;
		if (this.hasOtherWork(type)) return true;
		return this.removals.areDue(type, nowMs);
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
