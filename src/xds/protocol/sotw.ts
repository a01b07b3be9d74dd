import type { ProxyResources } from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import type { ResourceType } from "../resource-type.ts";
import type { Content } from "./content.ts";
import type { RequestOutcome } from "./delivery.ts";
import { sotwResponse } from "./frames.ts";
import { provenFirst, type Wanted } from "./proven-first.ts";
import { Sent } from "./sent.ts";
import type { StreamLimits } from "./stream-limits.ts";
import { StreamState } from "./stream-state.ts";
import {
	beforeAnyChange,
	type LookReason,
	type TypeState,
} from "./type-state.ts";

/** A `DiscoveryRequest` of a type that is served, as far as it is used. */
export interface SotwRequest {
	readonly type: SotwType;
	readonly names: readonly string[];
	/** Nonce of the response that is answered; empty in the first request of a type. */
	readonly nonce: string;
	/** Why that response was rejected, in the client's words; undefined when it was not. */
	readonly error: string | undefined;
}

/** Virtual hosts as resources of their own exist only in delta streams. */
export type SotwType = Exclude<ResourceType, "virtualHost">;

/**
 * A response of a type whose resources can be spread over several is closed when
 * it has reached this size: gRPC's clients take 4 MiB.
 */
const fullResponseBytes = 2 * 1024 * 1024;

const nothing = {
	resumed: undefined,
	acknowledged: undefined,
	rejected: undefined,
};

/** Types of which each response is the whole state: what it does not hold is gone. */
function isFullState(type: ResourceType): boolean {
	return type === "cluster" || type === "listener";
}

/**
 * The state of a state-of-the-world stream. See xDS protocol, "The xDS
 * transport protocol", and section 3 there for what absence means.
 *
 * Guarantees: besides what `StreamState` guarantees, nothing is sent that is not
 *   subscribed; a cluster that is gone stays in the list until nothing points there.
 *   That ends with the stream: a client that comes back does not say which clusters
 *   it has, so its first list leaves out what went meanwhile. A delta stream can tell.
 */
export class SotwStream extends StreamState {
	/** @param isProven whether a proxy like this one has accepted the resource before; all are proven without it */
	constructor(
		resources: ProxyResources,
		limits: StreamLimits,
		startedMs: number,
		isProven?: (resource: Resource) => boolean,
	) {
		super({
			resources,
			limits,
			startedMs,
			isProven,
			pointingAtClusters: ["listener", "route"],
		});
	}

	/** Takes a request. What it asks for comes out of `next`. */
	request(request: SotwRequest, nowMs: number): RequestOutcome {
		this.noteRequest();
		const { type, nonce } = request;
		const state = this.types[type];
		const subscription = this.subscription(type);
		// An answer to an older response says nothing about the newer one, nor do its names count.
		if (nonce !== "" && nonce !== state.lastNonce) {
			return { op: "taken", ...nothing };
		}
		if (request.names.length > this.limits.maxNames) {
			return {
				op: "refused",
				reason: `A subscription may hold ${this.limits.maxNames} names; this one asks for ${request.names.length}.`,
			};
		}
		const { asked, dropped, wildcardAsked, wildcardEnded } =
			subscription.replace(request.names, isFullState(type));
		for (const name of dropped) {
			if (!this.mayHave(type, name)) this.#forget(type, name);
		}
		if (wildcardEnded) {
			for (const name of [...state.held.keys(), ...state.pending.keys()]) {
				if (!this.mayHave(type, name)) this.#forget(type, name);
			}
		}
		const isInitial = nonce === "";
		for (const name of isInitial ? subscription.names.keys() : asked) {
			state.look(name, this.change, "forced");
		}
		if (subscription.wildcard && (isInitial || wildcardAsked)) {
			for (const name of this.resources.names(type)) {
				state.look(name, this.change, "forced");
			}
		}
		if (isFullState(type) && (isInitial || wildcardAsked || asked.length > 0)) {
			state.mustAnswer = true;
		}
		return {
			op: "taken",
			resumed: undefined,
			...this.settle(type, nonce, request.error, nowMs),
		};
	}

	#forget(type: ResourceType, name: string): void {
		this.types[type].forget(name);
		if (type === "cluster") this.readiness.lose(name);
	}

	protected override collect(
		type: ResourceType,
		state: TypeState,
		names: Iterable<readonly [string, LookReason]>,
		nowMs: number,
	): Content | undefined {
		return isFullState(type)
			? this.#collectState(type, state, names, nowMs)
			: this.#collectChanges(type, state, names);
	}

	protected override isFullState(type: ResourceType): boolean {
		return isFullState(type);
	}

	/** Everything, as soon as anything of it is new to the client. */
	#collectState(
		type: ResourceType,
		state: TypeState,
		names: Iterable<readonly [string, LookReason]>,
		nowMs: number,
	): Content | undefined {
		const wanted: Wanted[] = [];
		for (const [name, reason] of names) {
			const resource = this.resources.get(type, name);
			if (this.#mustWait(type, state, resource, reason)) continue;
			state.pending.delete(name);
			if (resource === undefined) {
				if (state.hasSent(name) && !state.rejectedRemoval(name)) {
					state.go(name, this.change);
				}
				continue;
			}
			state.stay(name);
			if (!this.mayHave(type, name)) continue;
			if (reason !== "changed" || state.lacks(resource)) {
				wanted.push({ resource, reason });
			}
		}
		const { now, later } = provenFirst(wanted, this.isProven);
		state.apart.last(later);
		const fresh = now.map(({ resource }) => resource);
		const sent = new Map<string, Resource | undefined>();
		const kept: Resource[] = [];
		for (const name of this.removals.take(type, nowMs)) {
			sent.set(name, undefined);
		}
		for (const going of [state.removals, state.resting]) {
			for (const name of going.keys()) {
				const held = state.held.get(name);
				if (typeof held === "object") kept.push(held);
			}
		}
		if (fresh.length === 0 && sent.size === 0 && !state.mustAnswer) {
			return undefined;
		}
		// A removal that was rejected is repeated by every list that leaves the name out.
		for (const [name, rejected] of state.rejected) {
			if (rejected === undefined) sent.set(name, undefined);
		}
		const { list, withheld } = this.#list(type, state, fresh);
		list.push(...kept);
		for (const resource of list) sent.set(resource.name, resource);
		return {
			sent: new Sent(sent),
			fresh,
			withheld,
			encode: (nonce) => sotwResponse(type, list, versionOf(list), nonce),
		};
	}

	/** Whether the turn of a resource comes only after that of clusters at which it points; then it stays pending. */
	#mustWait(
		type: ResourceType,
		state: TypeState,
		resource: Resource | undefined,
		reason: LookReason,
	): boolean {
		if (resource === undefined || !this.mayHave(type, resource.name)) {
			return false;
		}
		if (!this.readiness.mustWait(resource)) return false;
		if (!state.pending.has(resource.name)) {
			state.look(resource.name, beforeAnyChange, reason);
		}
		return true;
	}

	/** What is new to the client; what is gone cannot be said. */
	#collectChanges(
		type: ResourceType,
		state: TypeState,
		names: Iterable<readonly [string, LookReason]>,
	): Content | undefined {
		const wanted: Wanted[] = [];
		let bytes = 0;
		for (const [name, reason] of names) {
			if (bytes >= fullResponseBytes) {
				if (reason !== "retry") break;
				state.apart.last([name]);
				continue;
			}
			const resource = this.resources.get(type, name);
			if (this.#mustWait(type, state, resource, reason)) continue;
			state.pending.delete(name);
			if (resource === undefined) {
				state.lose(name);
				state.rejected.delete(name);
				continue;
			}
			if (!this.mayHave(type, name)) continue;
			if (reason === "changed" && !state.lacks(resource)) continue;
			wanted.push({ resource, reason });
			bytes += resource.bytes.length;
		}
		const { now, later } = provenFirst(wanted, this.isProven);
		state.apart.last(later);
		if (now.length === 0) return undefined;
		const fresh = now.map(({ resource }) => resource);
		const sent = new Map(fresh.map((one) => [one.name, one] as const));
		return {
			sent: new Sent(sent),
			fresh,
			withheld: new Set(),
			encode: (nonce) => sotwResponse(type, fresh, versionOf(fresh), nonce),
		};
	}

	/** What is wanted, in the newest form that is in this response or was acknowledged; and names of which there is a newer one. */
	#list(
		type: ResourceType,
		state: TypeState,
		fresh: readonly Resource[],
	): { readonly list: Resource[]; readonly withheld: ReadonlySet<string> } {
		const isFresh = new Set(fresh.map(({ name }) => name));
		const list: Resource[] = [];
		const withheld = new Set<string>();
		for (const resource of this.#wanted(type, state)) {
			const { name } = resource;
			const isWithheld =
				state.isWithheld(name) || this.readiness.mustWait(resource);
			if (isFresh.has(name) || !isWithheld) {
				list.push(resource);
				continue;
			}
			const held = state.held.get(name);
			if (typeof held !== "object") continue;
			withheld.add(name);
			list.push(held);
		}
		return { list, withheld };
	}

	*#wanted(type: ResourceType, state: TypeState): Iterable<Resource> {
		const subscription = state.subscription;
		if (subscription === undefined) return;
		const names = subscription.wildcard
			? this.resources.names(type)
			: subscription.names.keys();
		for (const name of names) {
			const resource = this.resources.get(type, name);
			if (resource !== undefined) yield resource;
		}
	}
}

/** The version of a response: equal for equal content, in whatever order. */
function versionOf(resources: readonly Resource[]): string {
	let sum = 0;
	let mixed = 0;
	for (const { name, version } of resources) {
		const hash = hashOf(version, hashOf(name, 0x811c9dc5));
		sum = (sum + hash) >>> 0;
		mixed = (mixed ^ Math.imul(hash, 0x9e3779b1)) >>> 0;
	}
	return `${resources.length}-${sum.toString(36)}${mixed.toString(36)}`;
}

/** FNV-1a over UTF-16 code units. */
function hashOf(text: string, basis: number): number {
	let hash = basis;
	for (let at = 0; at < text.length; at += 1) {
		hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
	}
	return hash >>> 0;
}
