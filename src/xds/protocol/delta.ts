import type { ProxyResources, SharedSet } from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import type { ResourceType } from "../resource-type.ts";
import type { Content } from "./content.ts";
import type { Delivery, RequestOutcome } from "./delivery.ts";
import { deltaResponse } from "./frames.ts";
import { provenFirst, type Wanted } from "./proven-first.ts";
import { Sent } from "./sent.ts";
import {
	askedNames,
	changedNames,
	chosen,
	listOf,
	notIn,
	tablesOf,
} from "./shared-set.ts";
import type { StreamLimits } from "./stream-limits.ts";
import { StreamState } from "./stream-state.ts";
import type { Subscription } from "./subscription.ts";
import { tableOf } from "./table-of.ts";
import {
	beforeAnyChange,
	type LookReason,
	type TypeState,
} from "./type-state.ts";

/** A `DeltaDiscoveryRequest` of a type that is served, as far as it is used. */
export interface DeltaRequest {
	readonly type: ResourceType;
	readonly subscribe: readonly string[];
	readonly unsubscribe: readonly string[];
	/** Name and version of what the proxy kept from an earlier stream. */
	readonly initialVersions: ReadonlyMap<string, string>;
	/** Nonce of the response that is answered; empty when none is. */
	readonly nonce: string;
	/** Why that response was rejected, in the proxy's words; undefined when it was not. */
	readonly error: string | undefined;
}

const none: ReadonlySet<string> = new Set();
const nothing: SharedSet = new Map();

/** A proxy that comes back may lack so much of what others have before all of it is looked at. */
const fewDiffer = 64;

/** Types that Envoy asks for without naming anything. */
function mayBeLegacyWildcard(type: ResourceType): boolean {
	return type === "cluster" || type === "listener" || type === "virtualHost";
}

/**
 * The state of a delta stream. See xDS protocol, "Incremental xDS".
 *
 * Guarantees: besides what `StreamState` guarantees, nothing is sent that is not
 *   subscribed but two things which Envoy needs and does not ask for: the
 *   endpoints of a cluster that was just sent, and the virtual hosts of a route
 *   configuration that was just sent.
 */
export class DeltaStream extends StreamState {
	/** Route configurations that have no virtual host; Envoy waits until it is told so. */
	readonly #emptyTables = new Set<string>();

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
			pointingAtClusters: ["listener", "route", "virtualHost"],
		});
	}

	/** Takes a request. What it asks for comes out of `next`. */
	request(request: DeltaRequest, nowMs: number): RequestOutcome {
		this.noteRequest();
		const { type } = request;
		const state = this.types[type];
		const isFirst = state.subscription === undefined;
		const subscription = this.subscription(type);

		const reason = this.#excess(subscription, request);
		if (reason !== undefined) return { op: "refused", reason };

		const { asked, dropped, wildcardAsked, wildcardEnded } =
			subscription.change(request, mayBeLegacyWildcard(type));
		for (const name of dropped) {
			// Still covered by a wildcard: the proxy must be told whether it keeps it.
			if (this.mayHave(type, name)) state.look(name, this.change, "forced");
			else this.#forget(type, name);
		}
		if (wildcardEnded) {
			for (const name of [...state.held.keys(), ...state.pending.keys()]) {
				if (!this.mayHave(type, name)) this.#forget(type, name);
			}
		}
		const resumed = isFirst ? this.#resume(request, state) : undefined;
		// A name that is asked for again was dropped by the proxy, whatever it had acknowledged.
		if (asked.length > 0 && state.held.size === 0) {
			state.lookAll(askedNames(asked), this.change);
		} else {
			for (const name of asked) {
				if (isFirst && state.held.has(name)) continue;
				state.look(name, this.change, "forced");
			}
		}
		if (wildcardAsked) this.#lookAtEverything(type, state, isFirst);
		if (isFirst && (type === "cluster" || type === "listener")) {
			state.mustAnswer = true;
		}
		if (type === "route") {
			for (const { name } of resumed?.resources ?? []) {
				this.#lookAtTable(name, false);
			}
		}
		return {
			op: "taken",
			resumed,
			...this.settle(type, request.nonce, request.error, nowMs),
		};
	}

	protected override mayHave(type: ResourceType, name: string): boolean {
		// The endpoints of a cluster that is under way are asked for when it arrives.
		if (type === "endpoint" && this.#isArriving(name)) return true;
		if (!super.mayHave(type, name)) return false;
		if (type !== "virtualHost") return true;
		const isNamed = this.types.virtualHost.subscription?.names.has(name);
		return isNamed === true || this.#hasTable(tableOf(name));
	}

	protected override surelyMayHave(
		type: ResourceType,
		resources: SharedSet,
	): boolean {
		return (
			super.surelyMayHave(type, resources) &&
			(type !== "virtualHost" ||
				tablesOf(resources).every((table) => this.#hasTable(table)))
		);
	}

	protected override hasOtherWork(type: ResourceType): boolean {
		return type === "virtualHost" && this.#emptyTables.size > 0;
	}

	protected override collect(
		type: ResourceType,
		state: TypeState,
		names: Iterable<readonly [string, LookReason]>,
		nowMs: number,
	): Content | undefined {
		const sent = new Map<string, Resource | undefined>();
		const wanted: Wanted[] = [];
		const removals: string[] = [];
		const waiting: [string, LookReason][] = [];
		const arePending = names === state.pending;
		const { shared, others } = arePending
			? this.#sharedOf(type, state)
			: { shared: nothing, others: names };
		for (const [name, reason] of others) {
			const forced = reason === "forced";
			const resource = this.resources.get(type, name);
			if (resource && this.readiness.mustWait(resource)) {
				if (arePending) waiting.push([name, reason]);
				// What went apart has waited for nobody knows how long.
				else if (!state.pending.has(name)) {
					state.look(name, beforeAnyChange, reason);
				}
				continue;
			}
			if (!arePending) state.pending.delete(name);
			if (resource === undefined) {
				if (forced) removals.push(name);
				else if (
					state.hasSent(name) &&
					(reason === "retry" || !state.rejectedRemoval(name))
				) {
					state.go(name, this.change);
				}
				continue;
			}
			state.stay(name);
			const isWanted =
				this.mayHave(type, name) ||
				(reason !== "changed" &&
					type === "endpoint" &&
					this.types.cluster.hasSent(name));
			if (!isWanted || (reason === "changed" && !state.lacks(resource))) {
				continue;
			}
			wanted.push({ resource, reason });
		}
		// Usually nothing waits, and a map that shrinks name by name is slow.
		if (arePending && waiting.length < state.pending.size) {
			state.pending.clear();
			for (const [name, reason] of waiting) state.pending.set(name, reason);
		}
		const { now, later } = provenFirst(wanted, this.isProven, shared.size > 0);
		state.apart.last(later);
		const fresh: Resource[] = [];
		for (const { resource, reason } of now) {
			const { name } = resource;
			sent.set(name, resource);
			fresh.push(resource);
			if (type === "route") {
				const held = state.held.get(name);
				// What Envoy was sent for a route configuration that it did not accept, it did not keep.
				const isNew = reason === "forced" || held === undefined;
				if (isNew || typeof held === "string") this.#lookAtTable(name, isNew);
			}
		}
		for (const name of removals) sent.set(name, undefined);
		// What takes the place of what goes may be among what comes later; but a new listener may need the address of an old one.
		if (later.length === 0 || type === "listener") {
			for (const name of this.removals.take(type, nowMs)) {
				sent.set(name, undefined);
			}
		}
		if (type === "virtualHost") this.#closeEmptyTables(sent);
		const all = new Sent(sent, shared);
		if (all.size === 0 && !state.mustAnswer) return undefined;
		return {
			sent: all,
			fresh,
			withheld: none,
			encode: (nonce) =>
				deltaResponse(type, [listOf(shared), fresh], removedIn(sent), nonce),
		};
	}

	/**
	 * Of pending names those whose resources can be sent all together, as a proxy
	 * that has nothing yet gets them. Nothing when one of them needs a closer look.
	 */
	#sharedOf(
		type: ResourceType,
		state: TypeState,
	): {
		readonly shared: SharedSet;
		readonly others: Iterable<readonly [string, LookReason]>;
	} {
		const { pending } = state;
		const lookAtEach = { shared: nothing, others: pending };
		if (state.rejected.size > 0) return lookAtEach;
		if (!state.apart.isEmpty || !state.hasNoRemovals) return lookAtEach;
		const { base, own } = pending.parts;
		// Single changes are all but a few of the calls.
		if (base.size === 0) return lookAtEach;
		const all = this.resources.split(type).shared;
		if (all.size === 0) return lookAtEach;
		if (base === changedNames(all) && !state.isUntouched) {
			const lacking = state.held
				.lacking(all)
				.filter((name) => pending.has(name) && !own.has(name));
			return {
				shared: nothing,
				others: [
					...lacking.map((name) => [name, "changed"] as const),
					...defined(own),
				],
			};
		}
		// What is sent with a route configuration depends on which it is.
		if (type === "route" || !state.isUntouched) return lookAtEach;
		const shared = chosen(base, all);
		const isPlain =
			[...own.keys()].every((name) => !base.has(name)) &&
			this.surelyMayHave(type, shared) &&
			!this.readiness.oneMustWait(shared) &&
			listOf(shared).every(this.isProven);
		if (!isPlain) return lookAtEach;
		return { shared, others: [...notIn(base, all), ...defined(own)] };
	}

	/** Why a request asks for too much, or undefined. */
	#excess(
		subscription: Subscription,
		{ subscribe, initialVersions }: DeltaRequest,
	): string | undefined {
		const { maxNames, maxKept } = this.limits;
		if (initialVersions.size > maxKept) {
			return `A proxy may bring ${maxKept} resources of a type; this one brings ${initialVersions.size}.`;
		}
		// Counting what is new costs time, and seldom matters.
		if (subscription.names.size + subscribe.length <= maxNames)
			return undefined;
		const names = subscription.countWith(subscribe);
		return names <= maxNames
			? undefined
			: `A subscription may hold ${maxNames} names; this one asks for ${names}.`;
	}

	/** Takes over what the proxy kept; what is still current need not be sent. */
	#resume(request: DeltaRequest, state: TypeState): Delivery {
		const { type } = request;
		const resources: Resource[] = [];
		const known = this.#resumeShared(request, state);
		for (const { name } of listOf(known)) {
			const held = state.held.get(name);
			if (typeof held === "object") resources.push(held);
		}
		for (const [name, version] of request.initialVersions) {
			if (known.has(name)) continue;
			// What a virtual host's table is may become known only later.
			if (!super.mayHave(type, name)) continue;
			const resource = this.resources.get(type, name);
			const isCurrent = resource?.version === version;
			state.hold(resource?.name ?? name, isCurrent ? resource : version);
			// The earlier stream may have ended between a cluster and its endpoints; it says which it has in its next request.
			if (type === "cluster") this.readiness.noteCold(resource?.name ?? name);
			if (type === "endpoint") this.readiness.noteWarm(name);
			if (isCurrent) resources.push(resource);
			else state.look(name, beforeAnyChange, "changed");
		}
		state.share();
		return { type, resources, removed: [] };
	}

	/**
	 * Takes over what others have too, of which a proxy that comes back mostly has
	 * all in the form that is current. Answers which resources need no further
	 * look: all of these, or none when too many differ.
	 */
	#resumeShared(
		{ type, initialVersions }: DeltaRequest,
		state: TypeState,
	): SharedSet {
		const { shared } = this.resources.split(type);
		// What a virtual host's table is may become known only later.
		if (!state.isUntouched || !super.surelyMayHave(type, shared))
			return nothing;
		const differing: string[] = [];
		for (const { name, version } of listOf(shared)) {
			if (initialVersions.get(name) === version) continue;
			differing.push(name);
			if (differing.length > fewDiffer) return nothing;
		}
		const { readiness } = this;
		const cold = differing.filter((name) => readiness.isCold(name));
		state.fill(shared);
		if (type === "cluster") readiness.noteAllCold(changedNames(shared));
		if (type === "endpoint") readiness.noteAllWarm(shared);
		for (const name of differing) {
			const version = initialVersions.get(name);
			if (version === undefined) {
				state.lose(name);
				if (type === "cluster") readiness.noteWarm(name);
				if (type === "endpoint" && cold.includes(name))
					readiness.noteCold(name);
			} else {
				state.hold(name, version);
				state.look(name, beforeAnyChange, "changed");
			}
		}
		return shared;
	}

	#lookAtEverything(
		type: ResourceType,
		state: TypeState,
		isFirst: boolean,
	): void {
		const { shared, others } = this.resources.split(type);
		const isPlain = isFirst && this.surelyMayHave(type, shared);
		if (isPlain) state.lookAll(changedNames(shared), beforeAnyChange);
		for (const name of isPlain ? others : this.resources.names(type)) {
			if (!this.mayHave(type, name)) continue;
			if (isFirst) state.look(name, beforeAnyChange, "changed");
			else state.look(name, this.change, "forced");
		}
		if (type !== "virtualHost") return;
		for (const name of this.resources.names("route")) {
			if (this.#hasTable(name)) this.#noteIfEmpty(name);
		}
	}

	/**
	 * Has the virtual hosts of a route configuration sent. Envoy asks for virtual
	 * hosts once, not again for each further route configuration.
	 */
	#lookAtTable(table: string, isNew: boolean): void {
		const hosts = this.types.virtualHost;
		if (hosts.subscription?.wildcard !== true) return;
		for (const name of this.resources.names("virtualHost")) {
			if (tableOf(name) !== table) continue;
			if (isNew) hosts.look(name, this.change, "forced");
			else hosts.look(name, beforeAnyChange, "changed");
		}
		hosts.urgent = true;
		this.#noteIfEmpty(table);
	}

	/** Whether a cluster is in a response that is not answered yet, or still without its endpoints. */
	#isArriving(cluster: string): boolean {
		return (
			this.readiness.isCold(cluster) ||
			this.types.cluster.inFlight?.sent.get(cluster) !== undefined
		);
	}

	/** Whether the proxy wants a route configuration and was sent it. */
	#hasTable(table: string): boolean {
		return super.mayHave("route", table) && this.types.route.hasSent(table);
	}

	#noteIfEmpty(table: string): void {
		for (const name of this.resources.names("virtualHost")) {
			if (tableOf(name) === table) return;
		}
		this.#emptyTables.add(table);
	}

	/** An empty response does not end Envoy's wait for virtual hosts; the removal of one that never was does. */
	#closeEmptyTables(sent: Map<string, Resource | undefined>): void {
		for (const table of this.#emptyTables) {
			if (this.#hasTable(table)) sent.set(`${table}/none`, undefined);
		}
		this.#emptyTables.clear();
	}

	#forget(type: ResourceType, name: string): void {
		this.types[type].forget(name);
		if (type === "cluster") this.readiness.lose(name);
		// It was dropped with the last cluster of this name; the next one is on its way.
		if (type === "endpoint" && this.#isArriving(name)) {
			this.types.endpoint.look(name, this.change, "forced");
		}
		if (type !== "route") return;
		// Envoy drops a table together with its virtual hosts.
		const hosts = this.types.virtualHost;
		this.#emptyTables.delete(name);
		for (const host of [...hosts.held.keys(), ...hosts.rejected.keys()]) {
			if (tableOf(host) === name) hosts.forget(host);
		}
	}
}

function* defined<V>(
	map: ReadonlyMap<string, V | undefined>,
): Iterable<readonly [string, V]> {
	for (const [name, value] of map) if (value !== undefined) yield [name, value];
}

function removedIn(
	sent: ReadonlyMap<string, Resource | undefined>,
): readonly string[] {
	const removed: string[] = [];
	for (const [name, resource] of sent) {
		if (resource === undefined) removed.push(name);
	}
	return removed;
}
