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
import { HeldChanges, heldVersion, TypeState } from "./type-state.ts";

/**
 * A proxy that reconnects asks for its clusters first and says only in the next
 * requests which routes it still has. A type that was not asked for within this
 * time is taken as not used by this proxy.
 */
const silentTypeMs = 5000;

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
	encode(nonce: string): readonly Uint8Array[];
}

/** What a stream is limited to. */
export interface StreamLimits {
	/** Names that one subscription may hold. */
	readonly maxNames: number;
	/** Resources of one type that a proxy may bring from an earlier stream. */
	readonly maxKept: number;
}

/**
 * The state of one stream: what its proxy asked for, was sent and has
 * acknowledged.
 *
 * Guarantees: at most one response per type is unanswered; clusters and their
 *   endpoints are sent before what may point at them; a cluster is removed only
 *   after the proxy acknowledged that nothing points there.
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
	readonly #startedMs: number;
	/** New clusters that were sent and whose endpoints were not; nothing may point at them yet. */
	readonly #awaitingEndpoints = new Set<string>();
	#wakeAtMs: number | undefined;

	constructor(
		resources: ProxyResources,
		limits: StreamLimits,
		startedMs: number,
	) {
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
				concerned = true;
			}
		}
		return concerned;
	}

	/** The next response that can be sent now, or undefined when there is none. */
	next(nowMs: number): Outgoing | undefined {
		this.#wakeAtMs = undefined;
		for (const type of sendOrder) {
			const state = this.types[type];
			if (state.subscription === undefined || state.inFlight !== undefined) {
				continue;
			}
			if (!this.#hasWork(type, state, nowMs)) continue;
			if (this.#mustWaitForClusters(type)) continue;
			if (!state.urgent && rebuildsTables(type)) {
				const notBeforeMs = state.pacer.notBeforeMs;
				if (notBeforeMs > nowMs) {
					this.#wakeBy(notBeforeMs);
					continue;
				}
			}
			const since = state.pending.size === 0 ? this.change : state.pendingSince;
			state.retryRejected(this.change, (name) =>
				this.resources.get(type, name),
			);
			const content = this.collect(type, state, nowMs);
			state.urgent = false;
			if (content === undefined) continue;
			return this.#send(type, state, content, since, nowMs);
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
			yield { name, sent, acknowledged, rejected: rejected.has(name) };
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

	/** Every version that the proxy has acknowledged. */
	*heldVersions(): Iterable<string> {
		for (const type of sendOrder) {
			for (const held of this.types[type].held.values()) {
				yield heldVersion(held);
			}
		}
	}

	/** The version of this name that the proxy rejected and that was not replaced since. */
	rejectedVersion(type: ResourceType, name: string): string | undefined {
		return this.types[type].rejected.get(name)?.version;
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

	/** What the next response of this type holds, or undefined when nothing is to be sent. What it has looked at is no longer pending. */
	protected abstract collect(
		type: ResourceType,
		state: TypeState,
		nowMs: number,
	): Content | undefined;

	/** Types with resources that may point at a cluster. */
	protected abstract readonly pointingAtClusters: readonly ResourceType[];

	/** Whether there is work besides pending names. */
	protected hasOtherWork(_type: ResourceType): boolean {
		return false;
	}

	/** Whether nothing points any more at a resource that was gone at `change`. */
	protected mayBeRemoved(
		type: ResourceType,
		name: string,
		change: number,
		nowMs: number,
	): boolean {
		switch (type) {
			case "cluster":
				return this.pointingAtClusters.every((pointing) =>
					this.#isSettled(pointing, change, nowMs),
				);
			case "endpoint":
				// Envoy drops the endpoints with the cluster: of one that is to go, they go after it.
				return (
					!this.types.cluster.hasSent(name) ||
					this.resources.get("cluster", name) !== undefined
				);
			case "route":
				return this.#isSettled("listener", change, nowMs);
			case "listener":
			case "virtualHost":
				return true;
		}
	}

	/** Whether a cluster was sent whose endpoints were not. */
	protected awaitsEndpoints(cluster: string): boolean {
		return this.#awaitingEndpoints.has(cluster);
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
		if (type === "cluster") this.#stopAwaiting();
		if (error === undefined) {
			const acknowledged = this.#acknowledge(type, state, inFlight.sent);
			return { acknowledged, rejected: undefined };
		}
		const rejected = {
			...reject(type, state, inFlight.sent),
			message: error.slice(0, maxMessageLength),
		};
		return { acknowledged: undefined, rejected };
	}

	/** A cluster that is answered for is warm, rejected, or has no use for endpoints; only what is about to be sent still counts. */
	#stopAwaiting(): void {
		const endpoints = this.types.endpoint;
		for (const name of this.#awaitingEndpoints) {
			const isNext =
				endpoints.pending.has(name) && this.mayHave("endpoint", name);
			if (!isNext) this.#awaitingEndpoints.delete(name);
		}
	}

	#acknowledge(
		type: ResourceType,
		state: TypeState,
		sent: ReadonlyMap<string, Resource | undefined>,
	): Delivery {
		const resources: Resource[] = [];
		const removed: string[] = [];
		for (const [name, resource] of sent) {
			state.rejected.delete(name);
			if (resource === undefined) {
				state.lose(name);
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
				if (!state.hasSent(name)) this.#awaitingEndpoints.add(name);
			}
		}
		if (type === "endpoint") {
			for (const [name, resource] of content.sent) {
				if (resource !== undefined) this.#awaitingEndpoints.delete(name);
			}
		}
		const nonce = this.#nonces.next();
		state.inFlight = { nonce, sent: content.sent, since };
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
		for (const [name, change] of state.removals) {
			if (this.mayBeRemoved(type, name, change, nowMs)) return true;
		}
		return false;
	}

	/** A route to a cluster that the proxy does not have, or that has no endpoints yet, answers 503. */
	#mustWaitForClusters(type: ResourceType): boolean {
		if (type === "cluster" || type === "endpoint") return false;
		for (const name of this.#awaitingEndpoints) {
			if (this.resources.get("endpoint", name) !== undefined) return true;
		}
		return this.#hasUnsentNames("cluster") || this.#hasUnsentNames("endpoint");
	}

	/** Whether something waits to be sent of which the proxy has no older form. */
	#hasUnsentNames(type: ResourceType): boolean {
		const state = this.types[type];
		if (state.subscription === undefined) return false;
		for (const name of state.pending.keys()) {
			if (state.hasSent(name) || !this.mayHave(type, name)) continue;
			if (this.resources.get(type, name) !== undefined) return true;
		}
		return false;
	}

	/** Whether the proxy has acknowledged everything of this type up to a change. */
	#isSettled(type: ResourceType, change: number, nowMs: number): boolean {
		const state = this.types[type];
		if (state.subscription === undefined) {
			const silentAtMs = this.#startedMs + silentTypeMs;
			if (nowMs >= silentAtMs) return true;
			this.#wakeBy(silentAtMs);
			return false;
		}
		if (state.pending.size > 0 && state.pendingSince <= change) return false;
		if (state.inFlight !== undefined && state.inFlight.since <= change) {
			return false;
		}
		for (const removedAt of state.removals.values()) {
			if (removedAt <= change) return false;
		}
		// What was rejected was not replaced: the proxy goes on with what it had, which may point anywhere.
		return state.rejected.size === 0;
	}

	#wakeBy(atMs: number): void {
		this.#wakeAtMs = Math.min(this.#wakeAtMs ?? atMs, atMs);
	}
}

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
