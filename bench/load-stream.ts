import {
	type ClientHttp2Session,
	type ClientHttp2Stream,
	connect,
} from "node:http2";
import { fromJson } from "@bufbuild/protobuf";
import {
	type Node,
	NodeSchema,
} from "../src/gen/envoy/envoy/config/core/v3/base_pb.js";
import { generateBootstrap } from "../src/xds/bootstrap.ts";
import {
	encodeRequest,
	endpointNamesOf,
	type RequestFields,
	type Response,
	readResponse,
	routeNamesOf,
	typeUrls,
} from "./discovery.ts";
import { Kept } from "./kept.ts";
import type { Expected, StreamPlan } from "./load-messages.ts";
import { systemMs } from "./mesh-files.ts";

/** Where streams go. */
export interface Server {
	readonly host: string;
	readonly port: number;
	/** What signed the server's certificate, as PEM; without it there is no TLS. */
	readonly ca?: string | undefined;
}

/** What all streams share: what they count, and what they learn once for all. */
export interface Shared {
	readonly expected: Expected;
	/** Hears of every message, before it is answered. */
	onMessage(stream: LoadStream, message: Buffer, atMs: number): void;
	onResponse(response: Response): void;
	onSynced(stream: LoadStream): void;
	/** A stream that was opened again knows that the server has understood what it has. */
	onRestored(stream: LoadStream): void;
	onFailure(error: unknown): void;
}

/** Windows as large as Envoy's, so that flow control costs nobody a wait. */
const window = 256 * 1024 * 1024;

/**
 * One stream that does what Envoy does: clusters, then their endpoints, then
 * listeners, the routes that these name, and virtual hosts; every response is
 * acknowledged.
 */
export class LoadStream {
	readonly #session: ClientHttp2Session;
	readonly #stream: ClientHttp2Stream;
	readonly #shared: Shared;
	readonly #asked = new Set<string>();
	readonly #chunks: Buffer[] = [];
	#buffered = 0;
	#received = { cluster: 0, endpoint: 0, virtualHost: 0 };
	#synced = false;
	#restored = false;
	#closing = false;
	readonly #open: readonly [Server, StreamPlan, Shared];
	readonly #kept: Kept;

	constructor(server: Server, plan: StreamPlan, shared: Shared, before?: Kept) {
		this.#open = [server, plan, shared];
		this.#kept = before ?? new Kept();
		this.#shared = shared;
		const { host, port, ca } = server;
		const scheme = ca === undefined ? "http" : "https";
		this.#session = connect(`${scheme}://${host}:${port}`, {
			settings: { initialWindowSize: window },
			...(ca !== undefined && { ca }),
		});
		this.#session.on("connect", () => this.#session.setLocalWindowSize(window));
		this.#session.on("error", (error) => this.#failed(error));
		this.#stream = this.#session.request({
			":method": "POST",
			":path":
				"/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
			"content-type": "application/grpc",
			te: "trailers",
			authorization: `Bearer ${plan.token}`,
		});
		this.#stream.on("error", (error) => this.#failed(error));
		this.#stream.on("trailers", (trailers) =>
			this.#failed(new Error(`The server ended: ${JSON.stringify(trailers)}`)),
		);
		this.#stream.on("close", () =>
			this.#failed(new Error("The stream was closed.")),
		);
		this.#stream.on("data", (chunk: Buffer) => this.#take(chunk));
		const node = nodeOf(server, plan);
		if (before === undefined) this.#ask("cluster", { node });
		else this.#resume(node);
	}

	/** A new stream of the same proxy, which says what this one has. */
	again(): LoadStream {
		const [server, plan, shared] = this.#open;
		return new LoadStream(server, plan, shared, this.#kept);
	}

	/** As Envoy does: one request for each type, with names and versions of all that it has. */
	#resume(node: Node): void {
		this.#synced = true;
		for (const message of this.#kept.requests(node))
			this.#stream.write(message);
		for (const name of this.#kept.asked) this.#asked.add(name);
		// The answer says that everything before it was understood.
		this.#send({ typeUrl: typeUrls.endpoint, subscribe: ["nothing-like-it"] });
	}

	/** Ends the stream and its connection. */
	close(): void {
		this.#closing = true;
		this.#session.destroy();
	}

	#failed(error: unknown): void {
		if (!this.#closing) this.#shared.onFailure(error);
	}

	#take(chunk: Buffer): void {
		const atMs = systemMs();
		this.#chunks.push(chunk);
		this.#buffered += chunk.length;
		for (;;) {
			if (this.#buffered < 5) return;
			const head = this.#joined(5);
			const length = 5 + head.readUInt32BE(1);
			if (this.#buffered < length) return;
			const all = this.#joined(length);
			this.#chunks[0] = all.subarray(length);
			this.#buffered -= length;
			const message = all.subarray(5, length);
			this.#shared.onMessage(this, message, atMs);
			this.#answer(readResponse(message));
		}
	}

	/** The first chunk, made so long that it holds this many bytes. */
	#joined(bytes: number): Buffer {
		const [first] = this.#chunks;
		if (first !== undefined && first.length >= bytes) return first;
		const all = Buffer.concat(this.#chunks);
		this.#chunks.splice(0, this.#chunks.length, all);
		return all;
	}

	#answer(response: Response): void {
		this.#shared.onResponse(response);
		const { typeUrl, nonce, resources } = response;
		this.#send({ typeUrl, nonce });
		this.#kept.note(typeUrl, resources);
		if (this.#synced && !this.#restored && response.removed > 0) {
			this.#restored = true;
			this.#shared.onRestored(this);
		}
		switch (typeUrl) {
			case typeUrls.cluster:
				this.#received.cluster += resources.length;
				this.#askFor("endpoint", remembered(endpointNamesOf, resources));
				break;
			case typeUrls.endpoint:
				this.#received.endpoint += resources.length;
				this.#askOnce("listener");
				break;
			case typeUrls.listener:
				this.#askFor("route", remembered(routeNamesOf, resources));
				break;
			case typeUrls.route:
				this.#askOnce("virtualHost");
				break;
			case typeUrls.virtualHost:
				this.#received.virtualHost += resources.length;
				break;
		}
		const { expected } = this.#shared;
		if (
			!this.#synced &&
			this.#received.virtualHost >= expected.virtualHosts &&
			this.#received.endpoint >= expected.clusters &&
			this.#received.cluster >= expected.clusters
		) {
			this.#synced = true;
			this.#shared.onSynced(this);
		}
	}

	#askOnce(type: keyof typeof typeUrls): void {
		if (!this.#asked.has(type)) this.#ask(type, {});
	}

	#askFor(type: keyof typeof typeUrls, names: readonly string[]): void {
		const fresh = names.filter((name) => !this.#asked.has(name));
		if (fresh.length === 0) return;
		for (const name of fresh) this.#asked.add(name);
		this.#ask(type, { subscribe: fresh });
	}

	#ask(
		type: keyof typeof typeUrls,
		fields: Omit<RequestFields, "typeUrl">,
	): void {
		this.#asked.add(type);
		this.#send({ typeUrl: typeUrls[type], ...fields });
	}

	#send(fields: RequestFields): void {
		this.#stream.write(encodeRequest(fields));
	}
}

function nodeOf(server: Server, { workload }: StreamPlan) {
	const { bootstrap } = generateBootstrap({
		workload,
		kind: "sidecar",
		attachment: "explicit",
		addresses: {
			outbound: "127.0.0.1:15001",
			inbound: [
				{
					listen: "127.0.0.1:15006",
					application: "127.0.0.1:9080",
					protocol: "http",
				},
			],
			tcp: [],
			gateway: [],
		},
		server,
		adminPort: 0,
		tokenFile: "/tmp/token",
		tokenSdsFile: "/tmp/token-sds.json",
	});
	return fromJson(NodeSchema, JSON.parse(JSON.stringify(bootstrap["node"])));
}

const answers = new Map<
	(resources: readonly Buffer[]) => readonly string[],
	{ readonly resources: Buffer; readonly names: readonly string[] }
>();

/** All streams get the same resources first, so they are decoded for one only. */
function remembered(
	read: (resources: readonly Buffer[]) => readonly string[],
	resources: readonly Buffer[],
): readonly string[] {
	const joined = Buffer.concat(resources);
	const known = answers.get(read);
	if (known?.resources.equals(joined) === true) return known.names;
	const names = read(resources);
	answers.set(read, { resources: joined, names });
	return names;
}
