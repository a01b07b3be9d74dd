import {
	create,
	fromBinary,
	type MessageInitShape,
	toBinary,
} from "@bufbuild/protobuf";
import {
	Client,
	type ClientDuplexStream,
	credentials,
	Metadata,
} from "@grpc/grpc-js";
import {
	DeltaDiscoveryRequestSchema,
	type DeltaDiscoveryResponse,
	DeltaDiscoveryResponseSchema,
	DiscoveryRequestSchema,
	type DiscoveryResponse,
	DiscoveryResponseSchema,
} from "../../src/gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import { type ResourceType, typeUrls } from "../../src/xds/resource-type.ts";

/** How a call has ended. */
export interface CallStatus {
	readonly code: number;
	readonly details: string;
}

/** One stream of the discovery service, over a real connection. */
export class AdsCall<Response> {
	readonly #call: ClientDuplexStream<Uint8Array, Uint8Array>;
	readonly #responses: Response[] = [];
	readonly #wake = new Set<() => void>();
	/** How the call has ended, or undefined while it is open. */
	status: CallStatus | undefined;

	constructor(
		call: ClientDuplexStream<Uint8Array, Uint8Array>,
		decode: (bytes: Uint8Array) => Response,
	) {
		this.#call = call;
		call.on("data", (bytes: Uint8Array) => {
			this.#responses.push(decode(bytes));
			this.#notice();
		});
		call.on("status", ({ code, details }: CallStatus) => {
			this.status = { code, details };
			this.#notice();
		});
		// Told by "status" as well.
		call.on("error", () => {});
	}

	/** Sends bytes as one message. */
	write(bytes: Uint8Array): void {
		this.#call.write(bytes);
	}

	/** Stops reading from the socket. */
	pause(): void {
		this.#call.pause();
	}

	/** Reads again. */
	resume(): void {
		this.#call.resume();
	}

	/** Ends the stream from this side. */
	close(): void {
		this.#call.cancel();
	}

	/** The next response; rejects when the call ends first. */
	async next(): Promise<Response> {
		for (;;) {
			const response = this.#responses.shift();
			if (response !== undefined) return response;
			if (this.status !== undefined) {
				throw new Error(`${this.status.code} ${this.status.details}`);
			}
			await this.#noticed();
		}
	}

	/** How many responses wait to be taken. */
	get waiting(): number {
		return this.#responses.length;
	}

	/** How the call ends. */
	async ended(): Promise<CallStatus> {
		while (this.status === undefined) await this.#noticed();
		return this.status;
	}

	#notice(): void {
		for (const wake of this.#wake) wake();
		this.#wake.clear();
	}

	#noticed(): Promise<void> {
		return new Promise((resolve) => this.#wake.add(resolve));
	}
}

/** A delta stream of a proxy. */
export class DeltaCall extends AdsCall<DeltaDiscoveryResponse> {
	/** Sends a request of one type. */
	ask(
		type: ResourceType,
		request: MessageInitShape<typeof DeltaDiscoveryRequestSchema> = {},
	): void {
		const message = create(DeltaDiscoveryRequestSchema, {
			typeUrl: typeUrls[type],
			...request,
		});
		this.write(toBinary(DeltaDiscoveryRequestSchema, message));
	}

	/**
	 * The next response in short: `name@version`, and `-name` for what was removed; acknowledged unless there is an error,
	 * which a function names when the response has come.
	 */
	async told(
		refusal?: string | (() => string | undefined),
	): Promise<readonly string[]> {
		const response = await this.next();
		const error = typeof refusal === "function" ? refusal() : refusal;
		const message = create(DeltaDiscoveryRequestSchema, {
			typeUrl: response.typeUrl,
			responseNonce: response.nonce,
			...(error === undefined
				? {}
				: { errorDetail: { code: 13, message: error } }),
		});
		this.write(toBinary(DeltaDiscoveryRequestSchema, message));
		return [
			...response.resources.map(({ name, version }) => `${name}@${version}`),
			...response.removedResources.map((name) => `-${name}`),
		];
	}
}

/** A state-of-the-world stream of a client. */
export class SotwCall extends AdsCall<DiscoveryResponse> {
	/** Sends a request of one type. */
	ask(
		type: ResourceType,
		request: MessageInitShape<typeof DiscoveryRequestSchema> = {},
	): void {
		const message = create(DiscoveryRequestSchema, {
			typeUrl: typeUrls[type],
			...request,
		});
		this.write(toBinary(DiscoveryRequestSchema, message));
	}
}

const service = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
const asIs = (bytes: Uint8Array): Buffer => Buffer.from(bytes);

/** One connection to a discovery service. */
export class AdsConnection {
	readonly #client: Client;

	/** @param ca PEM of the authority to trust; without it there is no TLS */
	constructor(address: string, ca?: string) {
		const trust =
			ca === undefined
				? credentials.createInsecure()
				: credentials.createSsl(Buffer.from(ca));
		this.#client = new Client(address, trust, {
			// Otherwise clients of one process share a connection.
			"grpc.use_local_subchannel_pool": 1,
			"grpc.max_receive_message_length": -1,
		});
	}

	/** Opens a delta stream. */
	delta(token?: string): DeltaCall {
		return new DeltaCall(
			this.#open("DeltaAggregatedResources", token),
			(bytes) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
		);
	}

	/** Opens a state-of-the-world stream. */
	sotw(token?: string): SotwCall {
		return new SotwCall(
			this.#open("StreamAggregatedResources", token),
			(bytes) => fromBinary(DiscoveryResponseSchema, bytes),
		);
	}

	/** Ends every stream and the connection. */
	close(): void {
		this.#client.close();
	}

	#open(
		method: string,
		token: string | undefined,
	): ClientDuplexStream<Uint8Array, Uint8Array> {
		const metadata = new Metadata();
		if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
		return this.#client.makeBidiStreamRequest<Uint8Array, Uint8Array>(
			`${service}/${method}`,
			asIs,
			asIs,
			metadata,
		);
	}
}
