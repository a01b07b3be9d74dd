/*
 * A small API server in the hands of a test: real HTTP, objects in memory, and
 * every fault on demand.
 *
 *   put, remove ─▶ objects + history ─▶ list, pages, watch, streamed lists
 *   fault(…)    ─▶ what the next matching requests meet instead
 *
 * It keeps every event, so that `compact` decides what is too old. What it
 * cannot answer is answered 404 and noted in `strange`.
 */
import {
	createServer,
	type IncomingMessage,
	type Server,
	type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { deepEqual } from "../../src/lib/deep-equal.ts";

/** An object as it is written; the server fills in the rest. */
export interface Manifest {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: {
		readonly name: string;
		readonly namespace?: string;
		readonly [field: string]: unknown;
	};
	readonly [field: string]: unknown;
}

/** A request as the server saw it. */
export interface SeenRequest {
	readonly method: string;
	readonly path: string;
	readonly query: Readonly<Record<string, string>>;
	readonly headers: Readonly<Record<string, string | string[] | undefined>>;
	readonly body: string;
	/** `stream`, `watch`, `list`, or the method for all else. */
	readonly what: string;
}

/** What a request meets instead of an answer. */
export type Fault =
	| {
			readonly status: number;
			readonly reason?: string;
			readonly message?: string;
			readonly headers?: Readonly<Record<string, string>>;
			/** More of the Status object: `details`, `metadata`. */
			readonly more?: Readonly<Record<string, unknown>>;
	  }
	/** The connection is cut before any answer. */
	| "cut"
	/** The request is taken and never answered. */
	| "mute"
	/** 200, and then nothing. */
	| "silent"
	/** A body of the test's own, with 200; left open when `open`. */
	| { readonly raw: string; readonly open?: boolean };

/** Which requests meet a fault. */
export interface FaultRule {
	/** Part of the path; any when absent. */
	readonly path?: string;
	readonly what?: "stream" | "watch" | "list" | "GET" | "PATCH" | "POST";
	/** A page other than the first. */
	readonly laterPage?: boolean;
	/** How many requests meet it; 1 when absent. */
	readonly times?: number;
	readonly fault: Fault;
}

interface Resource {
	readonly group: string;
	readonly version: string;
	readonly plural: string;
	readonly kind: string;
}

interface Stored {
	readonly resource: Resource;
	readonly key: string;
	readonly object: Manifest;
	readonly version: number;
}

interface HistoryEvent extends Stored {
	readonly type: "ADDED" | "MODIFIED" | "DELETED";
}

interface OpenWatch {
	readonly resource: Resource;
	readonly namespace: string;
	readonly response: ServerResponse;
}

/** How the server is. */
export interface ScriptedOptions {
	/** Certificate and key of the server, as PEM; plain HTTP without. */
	readonly tls?: {
		readonly cert: string;
		readonly key: string;
		/** What client certificates must be signed by; asked for then. */
		readonly clientCa?: string;
	};
	/** Whether lists can be streamed; a server without answers 422. */
	readonly streams?: "yes" | "no" | "ignored";
	/** Bodies of watches are written in pieces of at most so many bytes, each by itself. */
	readonly pieceBytes?: number;
	/** Tokens that are accepted; any when absent. */
	readonly tokens?: readonly string[];
}

/** The server; it starts with the kinds that Lateen reads. */
export class ScriptedApiServer implements AsyncDisposable {
	readonly requests: SeenRequest[] = [];
	/** Requests that the server has no answer for: a test that expects none checks that it is empty. */
	readonly strange: string[] = [];
	readonly #options: ScriptedOptions;
	readonly #server: Server;
	readonly #faults: { rule: FaultRule; left: number }[] = [];
	readonly #watches = new Set<OpenWatch>();
	readonly #objects = new Map<string, Stored>();
	readonly #history: HistoryEvent[] = [];
	readonly #snapshots = new Map<number, readonly Stored[]>();
	#resources: readonly Resource[] = KINDS;
	#version = 100;
	#oldest = 0;
	#tokens: readonly string[] | undefined;
	#port = 0;

	private constructor(options: ScriptedOptions) {
		this.#options = options;
		this.#tokens = options.tokens;
		const take = (request: IncomingMessage, response: ServerResponse): void =>
			this.#take(request, response);
		this.#server =
			options.tls === undefined
				? createServer(take)
				: createTlsServer(
						{
							cert: options.tls.cert,
							key: options.tls.key,
							...(options.tls.clientCa !== undefined && {
								ca: options.tls.clientCa,
								requestCert: true,
							}),
						},
						take,
					);
	}

	/** Starts a server on a free port. */
	static async start(
		options: ScriptedOptions = {},
	): Promise<ScriptedApiServer> {
		const server = new ScriptedApiServer(options);
		await server.listen();
		return server;
	}

	/** `http://127.0.0.1:PORT` */
	get url(): string {
		const scheme = this.#options.tls === undefined ? "http" : "https";
		return `${scheme}://127.0.0.1:${this.#port}`;
	}

	/** The version of the newest change. */
	get version(): string {
		return String(this.#version);
	}

	/** How many watches are open. */
	get watching(): number {
		return this.#watches.size;
	}

	/** Takes connections again, at the same address. */
	async listen(): Promise<void> {
		await new Promise<void>((resolve) => {
			this.#server.listen(this.#port, "127.0.0.1", resolve);
		});
		this.#port = (this.#server.address() as AddressInfo).port;
	}

	/** Cuts all connections and takes no new ones. */
	async stop(): Promise<void> {
		const closed = new Promise<void>((resolve) => {
			this.#server.close(() => resolve());
		});
		this.#server.closeAllConnections();
		await closed;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#server.listening) await this.stop();
	}

	/** Makes or replaces an object. */
	put(manifest: Manifest): void {
		const resource = this.#resourceOf(manifest);
		const key = keyOf(resource, manifest);
		const before = this.#objects.get(key)?.object;
		this.#version++;
		const object = {
			...manifest,
			metadata: {
				uid: before?.metadata["uid"] ?? `uid-${this.#version}`,
				generation:
					Number(before?.metadata["generation"] ?? 0) +
					(deepEqual(before?.["spec"], manifest["spec"]) ? 0 : 1),
				creationTimestamp: "2026-01-01T00:00:00Z",
				...manifest.metadata,
				resourceVersion: String(this.#version),
			},
		};
		const stored = { resource, key, object, version: this.#version };
		this.#objects.set(key, stored);
		this.#record({ ...stored, type: before ? "MODIFIED" : "ADDED" });
	}

	/** Removes an object; one that is not there is left alone. */
	remove(kind: string, name: string, namespace = "default"): void {
		for (const [key, stored] of this.#objects) {
			const { metadata } = stored.object;
			if (stored.resource.kind !== kind || metadata.name !== name) continue;
			if ((metadata.namespace ?? "default") !== namespace) continue;
			this.#objects.delete(key);
			this.#version++;
			const object = {
				...stored.object,
				metadata: { ...metadata, resourceVersion: String(this.#version) },
			};
			this.#record({
				...stored,
				object,
				version: this.#version,
				type: "DELETED",
			});
		}
	}

	/** Objects of a kind that are there, by `namespace/name`. */
	objectsOf(kind: string): ReadonlyMap<string, Manifest> {
		return new Map(
			[...this.#objects.values()]
				.filter(({ resource }) => resource.kind === kind)
				.map(({ object }) => [
					`${object.metadata.namespace ?? "default"}/${object.metadata.name}`,
					object,
				]),
		);
	}

	/** Offers a kind at this version only; nothing of it is offered when undefined. Its watches end. */
	offer(kind: string, version: string | undefined): void {
		const known = KINDS.find((one) => one.kind === kind);
		if (known === undefined) throw new Error(`${kind} is not known`);
		const others = this.#resources.filter((one) => one.kind !== kind);
		this.#resources =
			version === undefined ? others : [...others, { ...known, version }];
		this.endWatches(known.plural);
	}

	/** Lets requests meet a fault; of several that match, the first that was set. */
	fault(rule: FaultRule): void {
		this.#faults.push({ rule, left: rule.times ?? 1 });
	}

	/** Takes all faults back. */
	heal(): void {
		this.#faults.length = 0;
	}

	/** Accepts these tokens only from now on. */
	accept(...tokens: readonly string[]): void {
		this.#tokens = tokens;
	}

	/** Forgets all older versions: who resumes from one of them is told 410. */
	compact(): void {
		this.#oldest = this.#version;
		this.#snapshots.clear();
	}

	/** Sends all watches (of a plural) a bookmark with the newest version. */
	bookmark(plural?: string): void {
		for (const watch of this.#matching(plural))
			this.#write(watch.response, bookmarkLine(watch.resource, this.#version));
	}

	/** Writes text into the body of all open watches. */
	writeRaw(text: string, plural?: string): void {
		for (const { response } of this.#matching(plural))
			this.#write(response, text);
	}

	/** Sends all watches an ERROR event and ends them. */
	failWatches(code: number, reason: string, plural?: string): void {
		for (const watch of this.#matching(plural)) {
			const object = statusOf({ status: code, reason });
			this.#write(
				watch.response,
				`${JSON.stringify({ type: "ERROR", object })}\n`,
			);
			this.#end(watch);
		}
	}

	/** Ends all watches in order, as after `timeoutSeconds`. */
	endWatches(plural?: string): void {
		for (const watch of this.#matching(plural)) this.#end(watch);
	}

	/** Cuts all watches, amid whatever is being written. */
	cutWatches(plural?: string): void {
		for (const watch of this.#matching(plural)) {
			this.#watches.delete(watch);
			watch.response.destroy();
		}
	}

	#end(watch: OpenWatch): void {
		this.#watches.delete(watch);
		watch.response.end();
	}

	#matching(plural: string | undefined): readonly OpenWatch[] {
		return [...this.#watches].filter(
			({ resource }) => plural === undefined || resource.plural === plural,
		);
	}

	#take(request: IncomingMessage, response: ServerResponse): void {
		const chunks: Buffer[] = [];
		request.on("data", (chunk: Buffer) => chunks.push(chunk));
		request.on("end", () => {
			const url = new URL(request.url ?? "/", this.url);
			const query = Object.fromEntries(url.searchParams);
			const method = request.method ?? "";
			const seen: SeenRequest = {
				method,
				path: url.pathname,
				query,
				headers: request.headers,
				body: Buffer.concat(chunks).toString(),
				what: whatOf(method, url.pathname, query),
			};
			this.requests.push(seen);
			this.#answer(seen, response);
		});
	}

	#answer(seen: SeenRequest, response: ServerResponse): void {
		const found = this.#faults.find(
			({ rule, left }) => left > 0 && meets(rule, seen),
		);
		if (found !== undefined) {
			found.left--;
			playFault(found.rule.fault, response);
			return;
		}
		const token = /^Bearer (.*)$/.exec(String(seen.headers["authorization"]));
		if (
			this.#tokens !== undefined &&
			!this.#tokens.includes(token?.[1] ?? "")
		) {
			refuse(response, { status: 401, reason: "Unauthorized" });
			return;
		}
		if (seen.method !== "GET") {
			this.#strange(seen, response);
			return;
		}
		if (seen.what === "GET") {
			this.#discovery(seen, response);
			return;
		}
		const [root, namespace] = splitNamespace(seen.path);
		const resource = this.#resources.find((one) => pathOf(one) === root);
		if (resource === undefined) {
			refuse(response, { status: 404, reason: "NotFound" });
			return;
		}
		if (seen.what === "list") this.#list(resource, namespace, seen, response);
		else this.#watch(resource, namespace, seen, response);
	}

	#strange(seen: SeenRequest, response: ServerResponse): void {
		this.strange.push(`${seen.method} ${seen.path}`);
		refuse(response, { status: 404, reason: "NotFound" });
	}

	#discovery({ path }: SeenRequest, response: ServerResponse): void {
		const [, , group = "", version] = path.split("/");
		const offered = this.#resources.filter(
			(one) => `/apis/${group}` === rootOf(one),
		);
		if (!path.startsWith("/apis/") || offered.length === 0) {
			refuse(response, { status: 404, reason: "NotFound" });
			return;
		}
		const versions = [...new Set(offered.map((one) => one.version))].map(
			(one) => ({ groupVersion: `${group}/${one}`, version: one }),
		);
		if (version === undefined) {
			send(response, {
				kind: "APIGroup",
				name: group,
				versions,
				preferredVersion: versions[0],
			});
			return;
		}
		const resources = offered
			.filter((one) => one.version === version)
			.map((one) => ({
				name: one.plural,
				kind: one.kind,
				verbs: ["get", "list", "watch"],
			}));
		if (resources.length === 0) {
			refuse(response, { status: 404, reason: "NotFound" });
			return;
		}
		send(response, { kind: "APIResourceList", resources });
	}

	#list(
		resource: Resource,
		namespace: string,
		{ query }: SeenRequest,
		response: ServerResponse,
	): void {
		const limit = Number(query["limit"] ?? 0);
		const [version, offset] =
			query["continue"] === undefined
				? [this.#version, 0]
				: query["continue"].split("-").map(Number);
		if (
			version === undefined ||
			offset === undefined ||
			version < this.#oldest
		) {
			refuse(response, {
				status: 410,
				reason: "Expired",
				message: "The provided continue parameter is too old.",
				more: { metadata: { continue: `${this.#version}-${offset}` } },
			});
			return;
		}
		const all = this.#objectsAt(version).filter(
			(stored) =>
				stored.resource.plural === resource.plural &&
				isIn(stored.object, namespace),
		);
		const items = limit > 0 ? all.slice(offset, offset + limit) : all;
		const end = offset + items.length;
		send(response, {
			kind: `${resource.kind}List`,
			metadata: {
				resourceVersion: String(version),
				...(end < all.length && { continue: `${version}-${end}` }),
			},
			// As the real one: items of a list do not name their kind.
			items: items.map(({ object }) => {
				const { apiVersion: _, kind: __, ...rest } = object;
				return rest;
			}),
		});
	}

	#objectsAt(version: number): readonly Stored[] {
		let kept = this.#snapshots.get(version);
		if (kept === undefined) {
			kept = [...this.#objects.values()].sort((a, b) =>
				a.key < b.key ? -1 : 1,
			);
			this.#snapshots.set(version, kept);
		}
		return kept;
	}

	#watch(
		resource: Resource,
		namespace: string,
		{ query, what }: SeenRequest,
		response: ServerResponse,
	): void {
		const { streams = "yes" } = this.#options;
		if (what === "stream" && streams === "no") {
			refuse(response, {
				status: 422,
				reason: "Invalid",
				message:
					"sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
			});
			return;
		}
		const from = query["resourceVersion"] ?? "";
		if (from !== "" && Number(from) < this.#oldest) {
			refuse(response, {
				status: 410,
				reason: "Expired",
				message: `too old resource version: ${from} (${this.#oldest})`,
			});
			return;
		}
		if (Number(from) > this.#version) {
			refuse(response, {
				status: 504,
				reason: "Timeout",
				message: `Too large resource version: ${from}, current: ${this.#version}`,
				more: {
					details: {
						retryAfterSeconds: 1,
						causes: [
							{
								reason: "ResourceVersionTooLarge",
								message: "Too large resource version",
							},
						],
					},
				},
			});
			return;
		}
		response.writeHead(200, { "content-type": "application/json" });
		response.flushHeaders();
		const watch = { resource, namespace, response };
		this.#watches.add(watch);
		response.on("close", () => this.#watches.delete(watch));
		if (from === "") {
			for (const stored of this.#objects.values())
				this.#tell(watch, { ...stored, type: "ADDED" });
			if (what === "stream" && streams === "yes")
				this.#write(response, bookmarkLine(resource, this.#version, true));
		} else {
			for (const event of this.#history)
				if (event.version > Number(from)) this.#tell(watch, event);
		}
	}

	#record(event: HistoryEvent): void {
		this.#history.push(event);
		for (const watch of this.#watches) this.#tell(watch, event);
	}

	#tell(
		{ resource, namespace, response }: OpenWatch,
		{ type, object, ...stored }: HistoryEvent,
	): void {
		if (stored.resource.plural !== resource.plural) return;
		if (!isIn(object, namespace)) return;
		const apiVersion =
			resource.group === ""
				? resource.version
				: `${resource.group}/${resource.version}`;
		this.#write(
			response,
			`${JSON.stringify({ type, object: { ...object, apiVersion } })}\n`,
		);
	}

	#write(response: ServerResponse, text: string): void {
		const { pieceBytes } = this.#options;
		const bytes = Buffer.from(text);
		if (pieceBytes === undefined) {
			response.write(bytes);
			return;
		}
		for (let at = 0; at < bytes.length; at += pieceBytes)
			response.write(bytes.subarray(at, at + pieceBytes));
	}

	#resourceOf({ kind }: Manifest): Resource {
		const found = KINDS.find((one) => one.kind === kind);
		if (found === undefined) throw new Error(`${kind} is not known`);
		return found;
	}
}

const ours = { group: "lateen.dev", version: "v1alpha1" };
const core = { group: "", version: "v1" };

const KINDS: readonly Resource[] = [
	{ ...ours, plural: "routerules", kind: "RouteRule" },
	{ ...ours, plural: "externalservices", kind: "ExternalService" },
	{ ...ours, plural: "meshes", kind: "Mesh" },
	{ ...core, plural: "services", kind: "Service" },
	{ ...core, plural: "pods", kind: "Pod" },
	{
		group: "discovery.k8s.io",
		version: "v1",
		plural: "endpointslices",
		kind: "EndpointSlice",
	},
];

function rootOf({ group }: Resource): string {
	return group === "" ? "/api" : `/apis/${group}`;
}

function pathOf(resource: Resource): string {
	return `${rootOf(resource)}/${resource.version}/${resource.plural}`;
}

function keyOf({ plural }: Resource, { metadata }: Manifest): string {
	return `${plural}/${metadata.namespace ?? "default"}/${metadata.name}`;
}

/** `/api/v1/namespaces/a/pods` → `/api/v1/pods` and `a`. */
function splitNamespace(path: string): readonly [string, string] {
	const found = /^(.*)\/namespaces\/([^/]+)(\/.*)$/.exec(path);
	return found === null
		? [path, ""]
		: [`${found[1]}${found[3]}`, found[2] ?? ""];
}

function isIn({ metadata }: Manifest, namespace: string): boolean {
	return namespace === "" || metadata.namespace === namespace;
}

function whatOf(
	method: string,
	path: string,
	query: Readonly<Record<string, string>>,
): string {
	if (method !== "GET") return method;
	if (query["sendInitialEvents"] === "true") return "stream";
	if (query["watch"] === "true") return "watch";
	const [root] = splitNamespace(path);
	return KINDS.some((one) => root.endsWith(`/${one.plural}`)) ? "list" : "GET";
}

function meets(rule: FaultRule, seen: SeenRequest): boolean {
	return (
		(rule.path === undefined || seen.path.includes(rule.path)) &&
		(rule.what === undefined || rule.what === seen.what) &&
		(rule.laterPage !== true || seen.query["continue"] !== undefined)
	);
}

function playFault(fault: Fault, response: ServerResponse): void {
	if (fault === "cut") response.destroy();
	else if (fault === "mute") return;
	else if (fault === "silent") {
		response.writeHead(200, { "content-type": "application/json" });
		response.flushHeaders();
	} else if ("raw" in fault) {
		response.writeHead(200, { "content-type": "application/json" });
		if (fault.open === true) response.write(fault.raw);
		else response.end(fault.raw);
	} else refuse(response, fault);
}

type Refusal = Extract<Fault, { readonly status: number }>;

function refuse(response: ServerResponse, refusal: Refusal): void {
	response.writeHead(refusal.status, {
		"content-type": "application/json",
		...refusal.headers,
	});
	response.end(JSON.stringify(statusOf(refusal)));
}

function statusOf({ status, reason, message, more }: Refusal): object {
	return {
		kind: "Status",
		apiVersion: "v1",
		status: "Failure",
		message: message ?? `the script says ${status}`,
		reason: reason ?? "",
		code: status,
		...more,
	};
}

function send(response: ServerResponse, body: object): void {
	response.writeHead(200, { "content-type": "application/json" });
	response.end(JSON.stringify(body));
}

function bookmarkLine(
	{ kind }: Resource,
	version: number,
	endsInitial = false,
): string {
	const object = {
		kind,
		apiVersion: "v1",
		metadata: {
			resourceVersion: String(version),
			...(endsInitial && {
				annotations: { "k8s.io/initial-events-end": "true" },
			}),
		},
	};
	return `${JSON.stringify({ type: "BOOKMARK", object })}\n`;
}
