// A client of a delta stream that behaves as Envoy does, in small: it names
// endpoints and routes by what its clusters and listeners say, asks for virtual
// hosts once, keeps what it has when a stream breaks, and reads its messages
// only when told to. A cluster serves from the first endpoints that come after
// it, as it does in Envoy. Content stands in versions: `2>one` points at `one`.

import { fromBinary } from "@bufbuild/protobuf";
import { DeltaDiscoveryResponseSchema } from "../../src/gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import {
	type DeltaRequest,
	DeltaStream,
} from "../../src/xds/protocol/delta.ts";
import type { Resource } from "../../src/xds/resource.ts";
import { type ResourceType, sendOrder } from "../../src/xds/resource-type.ts";
import { deltaRequest } from "./delta-talk.ts";
import type { MemoryResources } from "./memory-resources.ts";

interface Response {
	readonly type: ResourceType;
	readonly nonce: string;
	/** Version by name; undefined stands for a removal. */
	readonly content: ReadonlyMap<string, string | undefined>;
}

/** What a version says its resource points at. */
export function target(version: string): string {
	return version.slice(version.indexOf(">") + 1);
}

/** The route configuration that a virtual host belongs to. */
export function tableOf(virtualHost: string): string {
	return virtualHost.slice(0, virtualHost.indexOf("/"));
}

/** What the server is told, and how it is set up. */
export interface SimulationOptions {
	/** How long a cluster must stay after nothing points there any more. */
	readonly removalDelayMs?: number;
	/** Whether a proxy like this one has accepted the resource before. */
	readonly isProven?: (resource: Resource) => boolean;
}

/** See the head of this file. */
export class SimulatedEnvoy {
	/** What it has accepted: version by name. */
	readonly has: { readonly [T in ResourceType]: Map<string, string> } = {
		cluster: new Map(),
		endpoint: new Map(),
		listener: new Map(),
		route: new Map(),
		virtualHost: new Map(),
	};
	/** Things that must never be, in the order they were seen. */
	readonly complaints: string[] = [];
	nowMs = 0;
	/** Clusters or endpoints were refused, so what points at them may point at nothing. */
	refusedClusters = false;
	/** Resources and removals that came since this was last emptied. */
	readonly received: string[] = [];

	readonly #resources: MemoryResources;
	readonly #options: SimulationOptions;
	/** Clusters that have had endpoints since they came. */
	readonly #warm = new Set<string>();
	/** By cluster: when something last pointed at it. */
	readonly #pointedAtMs = new Map<string, number>();
	#server: DeltaStream;
	#stop: () => void = () => {};
	/** What the server has heard on this stream. */
	#heard: Map<ResourceType, Set<string>> = new Map();
	#sentOnStream: Map<ResourceType, Set<string>> = new Map();
	#toServer: DeltaRequest[] = [];
	#toClient: Response[] = [];
	readonly #asked = new Set<ResourceType>();
	readonly #names: {
		readonly endpoint: Set<string>;
		readonly route: Set<string>;
	} = { endpoint: new Set(), route: new Set() };

	constructor(resources: MemoryResources, options: SimulationOptions = {}) {
		this.#resources = resources;
		this.#options = options;
		this.#server = this.#connect();
	}

	/** Breaks the stream, with everything that is under way, and opens a new one. */
	reconnect(): void {
		this.#server = this.#connect();
	}

	/** The server takes the oldest request. */
	deliverRequest(): void {
		const request = this.#toServer.shift();
		if (request === undefined) return;
		const heard = this.#heard.get(request.type) ?? new Set();
		this.#heard.set(request.type, heard);
		for (const name of request.unsubscribe) heard.delete(name);
		for (const name of request.subscribe) heard.add(name);
		this.#server.request(request, this.nowMs);
		this.pump();
	}

	/** The client takes the oldest response and accepts it, or refuses all of it if it is of one of these types. */
	deliverResponse(refusable: readonly ResourceType[]): void {
		const response = this.#toClient.shift();
		if (response === undefined) return;
		const { type, nonce, content } = response;
		// Envoy has no reason to refuse the removal of anything.
		const isRefusable = [...content.values()].some((version) => version);
		if (refusable.includes(type) && isRefusable) {
			if (type === "cluster" || type === "endpoint") {
				this.refusedClusters = true;
			}
			this.#send(type, { nonce, error: "refused" });
			return;
		}
		this.#notePointedAt();
		for (const [name, version] of content) {
			this.received.push(`${type} ${name}`);
			if (version !== undefined) {
				if (!this.#wants(type, name)) continue;
				this.has[type].set(name, version);
				if (type === "endpoint") this.#warm.add(name);
			}
			// Envoy ignores the removal of endpoints and routes; it drops them with what needs them.
			else if (type !== "endpoint" && type !== "route") {
				if (type === "cluster") this.#noteRemoval(name);
				this.has[type].delete(name);
			}
		}
		this.#send(type, { nonce });
		this.#followUp(type);
		this.#check();
	}

	/** Lets everything under way arrive, and time pass, until nothing moves. */
	settle(): void {
		for (let round = 0; round < 12; round += 1) {
			while (this.#toServer.length > 0 || this.#toClient.length > 0) {
				this.deliverRequest();
				this.deliverResponse([]);
			}
			this.nowMs += 1000;
			this.pump();
		}
	}

	/** Takes what the server has to send. */
	pump(): void {
		for (;;) {
			const outgoing = this.#server.next(this.nowMs);
			if (outgoing === undefined) return;
			const { type, nonce } = outgoing;
			const message = fromBinary(
				DeltaDiscoveryResponseSchema,
				Buffer.concat(outgoing.parts),
			);
			const content = new Map<string, string | undefined>();
			for (const name of message.removedResources) content.set(name, undefined);
			const sent = this.#sentOnStream.get(type) ?? new Set();
			this.#sentOnStream.set(type, sent);
			for (const { name, version } of message.resources) {
				if (content.has(name)) this.complaints.push(`${name} came twice`);
				content.set(name, version);
				sent.add(name);
				if (!this.#mayBeSent(type, name)) {
					this.complaints.push(`nobody asked for ${type} ${name}`);
				}
			}
			if (this.#toClient.some((other) => other.type === type)) {
				this.complaints.push(`two responses of type ${type} under way`);
			}
			this.#toClient.push({ type, nonce, content });
		}
	}

	#connect(): DeltaStream {
		this.#stop();
		this.#toServer = [];
		this.#toClient = [];
		this.#heard = new Map();
		this.#sentOnStream = new Map();
		const server = new DeltaStream(
			this.#resources,
			{
				maxNames: 1000,
				maxKept: 1000,
				removalDelayMs: this.#options.removalDelayMs ?? 0,
			},
			this.nowMs,
			this.#options.isProven,
		);
		this.#stop = this.#resources.subscribe((changed) => {
			server.changed(changed);
			this.pump();
		});
		const again = sendOrder.filter((type) => this.#asked.has(type));
		this.#asked.clear();
		this.#ask("cluster");
		for (const type of again) if (type !== "cluster") this.#ask(type);
		return server;
	}

	/** The first request of a type on a stream. */
	#ask(type: ResourceType): void {
		this.#asked.add(type);
		const named = type === "endpoint" || type === "route";
		this.#send(type, {
			subscribe: named ? [...this.#names[type]] : [],
			initialVersions: new Map(this.has[type]),
		});
	}

	#followUp(type: ResourceType): void {
		if (type === "cluster") {
			this.#rename("endpoint", new Set(this.has.cluster.keys()));
			if (!this.#asked.has("listener")) this.#ask("listener");
		}
		if (type === "listener") {
			this.#rename(
				"route",
				new Set([...this.has.listener.values()].map(target)),
			);
		}
		if (type === "route" && !this.#asked.has("virtualHost")) {
			this.#ask("virtualHost");
		}
	}

	#rename(type: "endpoint" | "route", wanted: ReadonlySet<string>): void {
		const names = this.#names[type];
		const subscribe = [...wanted].filter((name) => !names.has(name));
		const unsubscribe = [...names].filter((name) => !wanted.has(name));
		for (const name of subscribe) names.add(name);
		for (const name of unsubscribe) {
			names.delete(name);
			this.has[type].delete(name);
			if (type !== "route") continue;
			for (const host of [...this.has.virtualHost.keys()]) {
				if (tableOf(host) === name) this.has.virtualHost.delete(host);
			}
		}
		if (!this.#asked.has(type)) {
			if (names.size > 0) this.#ask(type);
		} else if (subscribe.length + unsubscribe.length > 0) {
			this.#send(type, { subscribe, unsubscribe });
		}
	}

	#send(type: ResourceType, request: Partial<DeltaRequest>): void {
		this.#toServer.push(deltaRequest({ ...request, type }));
	}

	/** Envoy says nothing about resources that it has no use for, and drops them. */
	#wants(type: ResourceType, name: string): boolean {
		switch (type) {
			case "cluster":
			case "listener":
				return true;
			case "endpoint":
			case "route":
				return this.#names[type].has(name);
			case "virtualHost":
				return this.has.route.has(tableOf(name));
		}
	}

	/** Whether the server had a reason to send a resource, from what it has heard. */
	#mayBeSent(type: ResourceType, name: string): boolean {
		const heard = this.#heard.get(type);
		if (heard === undefined) return false;
		switch (type) {
			case "cluster":
			case "listener":
				return true;
			case "endpoint":
				return (
					heard.has(name) ||
					this.#sentOnStream.get("cluster")?.has(name) === true
				);
			case "route":
				return heard.has(name);
			case "virtualHost":
				return this.#heard.get("route")?.has(tableOf(name)) === true;
		}
	}

	#notePointedAt(): void {
		for (const [name, version] of this.has.virtualHost) {
			if (!this.has.route.has(tableOf(name))) continue;
			this.#pointedAtMs.set(target(version), this.nowMs);
		}
	}

	/** A request that is in flight may look for its cluster for so long after its route was chosen. */
	#noteRemoval(cluster: string): void {
		this.#warm.delete(cluster);
		const restedMs =
			this.nowMs - (this.#pointedAtMs.get(cluster) ?? Number.NEGATIVE_INFINITY);
		if (restedMs >= (this.#options.removalDelayMs ?? 0)) return;
		this.complaints.push(`${cluster} went after ${restedMs} ms`);
	}

	/** No route may point at a cluster that is not there or has not got its endpoints. */
	#check(): void {
		if (this.refusedClusters) return;
		for (const [name, version] of this.has.virtualHost) {
			if (!this.has.route.has(tableOf(name))) continue;
			const cluster = target(version);
			if (!this.has.cluster.has(cluster)) {
				this.complaints.push(
					`${name} points at ${cluster}, which is not there`,
				);
			} else if (!this.#warm.has(cluster)) {
				this.complaints.push(`${name} points at ${cluster} without endpoints`);
			}
		}
	}
}
