import type {
	KubeConnection,
	KubeRequest,
	KubeResponse,
} from "../../src/kube/connection.ts";
import { KubeError } from "../../src/kube/kube-error.ts";

type Json = Record<string, unknown>;

interface Stored {
	readonly path: string;
	object: Json;
}

/** An answer in the place of the server's own. */
export type Fault =
	| {
			readonly status: number;
			readonly reason?: string;
			readonly message?: string;
			readonly retryAfter?: number;
	  }
	/** No answer at all. */
	| "unreachable"
	/** It is done, and the answer gets lost. */
	| "answer lost";

/**
 * As much of an API server as single objects need: resource versions, uids,
 * generations, conflicts, status apart from the rest, applies by managers that
 * own whole top-level fields. What only the real one knows is tested there.
 */
export class MemoryApiServer implements KubeConnection {
	readonly server = "memory:";
	/** Every request, in order. */
	readonly requests: KubeRequest[] = [];
	/** Decides about each request before it is served. */
	fault: (request: KubeRequest) => Fault | undefined = () => undefined;
	/** Lets a request wait before it is served. */
	delay: (request: KubeRequest) => Promise<void> = () => Promise.resolve();
	#version = 0;
	readonly #objects = new Map<string, Stored>();

	/** The object at a path, parsed. */
	at(path: string): Json | undefined {
		return this.#objects.get(path)?.object;
	}

	/** Puts an object there as another client would. */
	put(path: string, object: Json): void {
		const before = this.at(path);
		const metadata = { ...(before?.["metadata"] as Json) };
		this.#store(path, {
			...object,
			metadata: {
				...(object["metadata"] as Json),
				uid: metadata["uid"] ?? `uid-${path}-${this.#version}`,
				generation: ((metadata["generation"] as number) ?? 0) + 1,
			},
		});
	}

	/** Changes an object's status as another client would. */
	putStatus(path: string, status: unknown): void {
		this.#store(path, { ...this.at(path), status });
	}

	/** Removes an object as another client would. */
	remove(path: string): void {
		this.#objects.delete(path);
	}

	/** Requests that write, as `METHOD path`. */
	get writes(): readonly string[] {
		return this.requests
			.filter(({ method }) => method !== "GET")
			.map(({ method, path }) => `${method} ${path}`);
	}

	[Symbol.asyncDispose](): Promise<void> {
		return Promise.resolve();
	}

	async request(
		request: KubeRequest,
		signal: AbortSignal,
	): Promise<KubeResponse> {
		this.requests.push(request);
		await Promise.race([this.delay(request), aborted(signal)]);
		signal.throwIfAborted();
		const fault = this.fault(request);
		if (fault === "unreachable")
			throw new KubeError("KUBE_UNREACHABLE", "Nothing answers.");
		if (fault === "answer lost") {
			this.#serve(request);
			throw new KubeError("KUBE_SILENT", "The answer got lost.");
		}
		if (fault !== undefined)
			return answer(
				fault.status,
				{
					...failure(fault.status, fault.reason),
					...(fault.message !== undefined && { message: fault.message }),
				},
				fault.retryAfter === undefined
					? []
					: [["retry-after", String(fault.retryAfter)]],
			);
		const [status, body] = this.#serve(request);
		return answer(status, body);
	}

	#serve(request: KubeRequest): readonly [number, Json] {
		const { method, path } = request;
		const body =
			request.body === undefined
				? {}
				: (JSON.parse(String(request.body)) as Json);
		switch (method) {
			case "GET":
				return this.#get(request);
			case "POST": {
				const name = (body["metadata"] as Json)["name"];
				const at = `${path}/${String(name)}`;
				if (this.at(at)) return [409, failure(409, "AlreadyExists")];
				this.put(at, body);
				return [201, this.#read(at)];
			}
			case "PUT": {
				if (!this.at(path)) return [404, missing(path)];
				if (this.#conflicts(path, body)) return [409, failure(409, "Conflict")];
				this.put(path, body);
				return [200, this.#read(path)];
			}
			case "PATCH":
				return this.#patch(request, body);
			case "DELETE":
				if (!this.at(path)) return [404, missing(path)];
				this.remove(path);
				return [200, { kind: "Status", status: "Success" }];
		}
	}

	#get({ path, query = {} }: KubeRequest): readonly [number, Json] {
		const found = this.at(path);
		if (found) return [200, found];
		const isCollection = query["limit"] !== undefined;
		if (!isCollection) return [404, missing(path)];
		const [root, plural] = split(path);
		const all = [...this.#objects.values()].filter(
			(one) =>
				one.path.startsWith(root) && one.path.split("/").at(-2) === plural,
		);
		const from = Number(query["continue"] ?? 0);
		const limit = Number(query["limit"]);
		const next = from + limit < all.length ? String(from + limit) : "";
		return [
			200,
			{
				kind: "List",
				metadata: { continue: next, resourceVersion: String(this.#version) },
				items: all.slice(from, from + limit).map(({ object }) => object),
			},
		];
	}

	#patch(request: KubeRequest, body: Json): readonly [number, Json] {
		const isStatus = request.path.endsWith("/status");
		const path = isStatus ? request.path.slice(0, -7) : request.path;
		const before = this.at(path);
		if (before === undefined && isStatus) return [404, missing(path)];
		if (before !== undefined && this.#conflicts(path, body))
			return [409, failure(409, "Conflict")];
		if (request.contentType === "application/merge-patch+json") {
			if (before === undefined) return [404, missing(path)];
			this.#store(path, merge(before, body));
			return [200, this.#read(path)];
		}
		const next = isStatus
			? { ...before, status: body["status"] }
			: { ...before, ...body };
		const metadata = {
			...(before?.["metadata"] as Json),
			...(isStatus ? {} : (body["metadata"] as Json)),
		};
		const whole = { ...next, metadata };
		if (JSON.stringify(whole) !== JSON.stringify(before)) {
			if (isStatus) this.#store(path, whole);
			else this.put(path, whole);
		}
		return [before === undefined ? 201 : 200, this.#read(path)];
	}

	#conflicts(path: string, body: Json): boolean {
		const asked = body["metadata"] as Json | undefined;
		const present = this.at(path)?.["metadata"] as Json;
		return ["resourceVersion", "uid"].some(
			(field) =>
				asked?.[field] !== undefined && asked[field] !== present[field],
		);
	}

	#store(path: string, object: Json): void {
		this.#version += 1;
		this.#objects.set(path, {
			path,
			object: {
				...object,
				metadata: {
					...(object["metadata"] as Json),
					resourceVersion: String(this.#version),
				},
			},
		});
	}

	#read(path: string): Json {
		return this.at(path) ?? {};
	}
}

function answer(
	status: number,
	body: Json,
	headers: readonly (readonly [string, string])[] = [],
): KubeResponse {
	const text = JSON.stringify(body);
	return {
		status,
		headers: new Map(headers),
		body: (async function* () {
			yield Buffer.from(text);
		})(),
		text: () => Promise.resolve(text),
	};
}

function failure(code: number, reason = ""): Json {
	return {
		kind: "Status",
		status: "Failure",
		code,
		reason,
		message: `The server says ${reason || code}`,
		details: { name: "it" },
	};
}

function missing(path: string): Json {
	return { ...failure(404, "NotFound"), message: `${path} not found` };
}

/** What every path of the collection begins with, whatever its namespace, and its plural. */
function split(path: string): readonly [string, string] {
	const parts = path.split("/");
	const plural = parts.at(-1) ?? "";
	return path.includes("/namespaces/")
		? [`${path}/`, plural]
		: [`${parts.slice(0, -1).join("/")}/`, plural];
}

function merge(before: Json, patch: Json): Json {
	const next = { ...before };
	for (const [name, value] of Object.entries(patch)) {
		const old = next[name];
		if (value === null) delete next[name];
		else
			next[name] =
				typeof value === "object" && !Array.isArray(value)
					? merge((old ?? {}) as Json, value as Json)
					: value;
	}
	return next;
}

function aborted(signal: AbortSignal): Promise<never> {
	return new Promise((_, reject) => {
		signal.addEventListener("abort", () => reject(signal.reason));
	});
}
