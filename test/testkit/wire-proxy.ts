import type { DeltaDiscoveryResponse } from "../../src/gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import {
	type ResourceType,
	sendOrder,
	typeUrls,
} from "../../src/xds/resource-type.ts";
import { AdsConnection, type DeltaCall } from "./ads-client.ts";

/** How a proxy answers a response: it accepts it, once or twice, says nothing until told to, or refuses with these words. */
export type Manner =
	| "accepts"
	| "twice"
	| "silent"
	| {
			readonly refuses: (
				response: DeltaDiscoveryResponse,
			) => string | undefined;
	  };

/** A control plane that proxies connect to. */
export interface ServedProxies {
	/** `127.0.0.1:15010` */
	readonly address: string;
	/** PEM of the authorities that its certificate is held against; without it there is no TLS. */
	readonly authorities?: string | undefined;
	/** What a proxy of this workload brings to prove that it is one. */
	tokenOf(workload: string): string;
}

/** What a proxy has of one name. */
interface Kept {
	readonly version: string;
	/** The encoded resource as Latin-1, to look for words in. */
	readonly text: string;
}

/** An unknown name: the answer to it says that everything before it was understood. */
const echo = "nothing-like-it";

/**
 * A proxy on a real delta stream. It asks for everything, keeps what it has when
 * the stream breaks, and says so when it comes back, as Envoy does.
 */
export class WireProxy {
	readonly workload: string;
	/** What it says it runs, such as 1.40.0 of `envoy`; nothing when undefined. */
	readonly version: string | undefined;
	manner: Manner = "accepts";
	/** Responses that came since the proxy was made. */
	responses = 0;
	/** Resources that came since the proxy was made. */
	resources = 0;
	readonly #served: ServedProxies;
	readonly #kept = new Map<ResourceType, Map<string, Kept>>(
		sendOrder.map((type) => [type, new Map()]),
	);
	#open:
		| { readonly connection: AdsConnection; readonly call: DeltaCall }
		| undefined;
	#unanswered: DeltaDiscoveryResponse[] = [];
	readonly #onChange = new Set<() => void>();
	#echoed = false;

	constructor(served: ServedProxies, workload: string, version?: string) {
		this.#served = served;
		this.workload = workload;
		this.version = version;
	}

	/** Whether a stream is open. */
	get isConnected(): boolean {
		return this.#open !== undefined;
	}

	/** Whether the server has understood everything that this stream began with. */
	get isKnown(): boolean {
		return this.#echoed;
	}

	/** Responses that it was silent about. */
	get unanswered(): number {
		return this.#unanswered.length;
	}

	/** Whether something that it has accepted holds this text. */
	has(text: string): boolean {
		for (const kept of this.#kept.values())
			for (const one of kept.values()) if (one.text.includes(text)) return true;
		return false;
	}

	/** Opens a stream and says what it has. */
	connect(): void {
		const { address, authorities } = this.#served;
		const connection = new AdsConnection(address, authorities);
		const call = connection.delta(this.#served.tokenOf(this.workload));
		this.#open = { connection, call };
		this.#echoed = false;
		for (const type of sendOrder) {
			const kept = this.#kept.get(type) ?? new Map<string, Kept>();
			call.ask(type, {
				...(type === "cluster" ? { node: this.#node() } : {}),
				resourceNamesSubscribe: ["*"],
				initialResourceVersions: Object.fromEntries(
					[...kept].map(([name, { version }]) => [name, version]),
				),
			});
		}
		call.ask("endpoint", { resourceNamesSubscribe: [echo] });
		void this.#read(call);
	}

	/** Breaks the stream. What it was silent about it may have taken all the same: then only its word got lost. */
	cut(hasTaken = false): void {
		const open = this.#open;
		this.#open = undefined;
		if (hasTaken) for (const response of this.#unanswered) this.#take(response);
		this.#unanswered = [];
		this.#echoed = false;
		open?.call.close();
		open?.connection.close();
	}

	/** Answers what it was silent about, and from now on at once. */
	speak(): void {
		this.manner = "accepts";
		for (const response of this.#unanswered.splice(0)) this.#answer(response);
	}

	/** Resolves when this is true; asked after each response. */
	until(isWanted: (proxy: WireProxy) => boolean): Promise<void> {
		if (isWanted(this)) return Promise.resolve();
		return new Promise((resolve) => {
			const look = (): void => {
				if (!isWanted(this)) return;
				this.#onChange.delete(look);
				resolve();
			};
			this.#onChange.add(look);
		});
	}

	#node() {
		return {
			id: `sidecar~${this.workload}`,
			...(this.version !== undefined && {
				userAgentName: "envoy",
				userAgentVersionType: {
					case: "userAgentVersion" as const,
					value: this.version,
				},
			}),
		};
	}

	async #read(call: DeltaCall): Promise<void> {
		for (;;) {
			let response: DeltaDiscoveryResponse;
			try {
				response = await call.next();
			} catch {
				// The stream was cut, here or there.
				return;
			}
			if (this.#open?.call !== call) return;
			this.responses += 1;
			this.resources += response.resources.length;
			if (response.removedResources.includes(echo)) this.#echoed = true;
			if (this.manner === "silent") this.#unanswered.push(response);
			else this.#answer(response);
			for (const look of [...this.#onChange]) look();
		}
	}

	#answer(response: DeltaDiscoveryResponse): void {
		const call = this.#open?.call;
		if (call === undefined) return;
		const { manner } = this;
		const refusal =
			typeof manner === "object" ? manner.refuses(response) : undefined;
		const type = typeOf(response);
		const { nonce: responseNonce } = response;
		if (refusal !== undefined) {
			const errorDetail = { code: 13, message: refusal };
			call.ask(type, { responseNonce, errorDetail });
			return;
		}
		this.#take(response);
		call.ask(type, { responseNonce });
		if (manner === "twice") call.ask(type, { responseNonce });
	}

	#take(response: DeltaDiscoveryResponse): void {
		const kept = this.#kept.get(typeOf(response));
		for (const name of response.removedResources) kept?.delete(name);
		for (const { name, version, resource } of response.resources) {
			const text = Buffer.from(resource?.value ?? []).toString("latin1");
			kept?.set(name, { version, text });
		}
	}
}

function typeOf({ typeUrl }: DeltaDiscoveryResponse): ResourceType {
	const type = sendOrder.find((one) => typeUrls[one] === typeUrl);
	if (type === undefined) throw new Error(`${typeUrl} is no type of ours`);
	return type;
}
