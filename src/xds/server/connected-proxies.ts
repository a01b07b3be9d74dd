import type { Delivery, Rejection } from "../protocol/delivery.ts";
import type { SentResource } from "../protocol/sent-resources.ts";
import type { Proxy } from "../proxy.ts";
import type { Resource } from "../resource.ts";
import type { ResourceType } from "../resource-type.ts";

/** What one proxy asked for and has, of one type. */
export interface TypeStatus {
	readonly type: ResourceType;
	/** It asked for everything of this type. */
	readonly wildcard: boolean;
	/** Names that it asked for. */
	readonly names: number;
	/** Resources that were sent and not removed since. */
	readonly sent: number;
	/** Those of them of which the version sent last is acknowledged. */
	readonly acknowledged: number;
	readonly lastRejection: LastRejection | undefined;
}

/** What a proxy refused last, of one type. */
export interface LastRejection {
	/** Why, in the proxy's words. */
	readonly message: string;
	/** Names of what was new to it in that response. */
	readonly names: readonly string[];
	/** Milliseconds since the Unix epoch. */
	readonly atMs: number;
}

/** One open stream of a proxy. After a reconnect there may be two for a moment. */
export interface ConnectedProxy {
	readonly proxy: Proxy;
	readonly variant: "delta" | "sotw";
	/** Address and port it connects from. */
	readonly address: string;
	/** Milliseconds since the Unix epoch. */
	readonly connectedAtMs: number;
	/** The types it asked for, in sending order. */
	types(): readonly TypeStatus[];
	/** What was sent and acknowledged of one type, by name in no order. */
	resources(type: ResourceType): Iterable<SentResource>;
	/** What it has acknowledged of one type. */
	acknowledged(type: ResourceType): Iterable<Resource>;
}

/** Something a proxy has said. */
export type ProxyEvent =
	| { readonly op: "connected"; readonly on: ConnectedProxy }
	/** It has these now: it acknowledged them, or kept them from an earlier stream. */
	| {
			readonly op: "acknowledged";
			readonly on: ConnectedProxy;
			readonly delivery: Delivery;
	  }
	| {
			readonly op: "rejected";
			readonly on: ConnectedProxy;
			readonly rejection: Rejection;
	  }
	/** What it has acknowledged can still be read. */
	| { readonly op: "disconnected"; readonly on: ConnectedProxy };

/** Every proxy that has an open stream, and what they say. */
export class ConnectedProxies {
	readonly #open = new Set<ConnectedProxy>();
	readonly #streams = new Map<string, number>();
	readonly #listeners = new Set<(event: ProxyEvent) => void>();

	/** The open streams, oldest first. */
	all(): Iterable<ConnectedProxy> {
		return this.#open;
	}

	/** How many streams are open. */
	get size(): number {
		return this.#open.size;
	}

	/** How many streams this proxy has open. */
	streamsOf(proxy: Proxy): number {
		return this.#streams.get(keyOf(proxy)) ?? 0;
	}

	/** Calls `listener` with every event until the returned function is called. */
	subscribe(listener: (event: ProxyEvent) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** Notes an event; the streams call this. */
	note(event: ProxyEvent): void {
		if (event.op === "connected") {
			const key = keyOf(event.on.proxy);
			this.#open.add(event.on);
			this.#streams.set(key, (this.#streams.get(key) ?? 0) + 1);
		}
		if (event.op === "disconnected") {
			const key = keyOf(event.on.proxy);
			this.#open.delete(event.on);
			const left = (this.#streams.get(key) ?? 1) - 1;
			if (left === 0) this.#streams.delete(key);
			else this.#streams.set(key, left);
		}
		for (const listener of this.#listeners) listener(event);
	}
}

function keyOf(proxy: Proxy): string {
	return JSON.stringify([proxy.workload, proxy.id]);
}
