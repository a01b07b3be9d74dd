import { expect } from "chai";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ObjectStatus } from "../api/status.ts";
import type { HttpRequest, HttpResponse } from "../lib/handler.ts";
import { WritableSignal } from "../lib/signal.ts";
import type { StatusReader, StatusState } from "./readers.ts";
import { eventsAnswer, statusAnswer } from "./status.ts";

function state(kind: string, namespace: string, name: string): StatusState {
	const ref: ObjectRef = { kind, namespace, name };
	const status: ObjectStatus = {
		ref,
		observedGeneration: 1,
		conditions: [
			{
				type: "Ready",
				status: "True",
				reason: "Ready",
				message: "Live.",
				observedGeneration: 1,
				lastTransitionMs: 0,
			},
		],
		proxies: { total: 2, acknowledged: 2, rejected: 0 },
	};
	return {
		ref,
		generation: 2,
		createdMs: 0,
		destination: "reviews",
		place: { file: "rules.yaml", line: 3, column: 1 },
		status,
	};
}

/** States that are changed by hand. */
class MemoryReader implements StatusReader {
	readonly states = new Map<string, StatusState>();
	readonly isComplete = new WritableSignal(true);
	readonly #listeners = new Set<(refs: readonly ObjectRef[]) => void>();

	get listeners(): number {
		return this.#listeners.size;
	}

	put(...states: readonly StatusState[]): void {
		for (const one of states) this.states.set(keyOf(one.ref), one);
		for (const listener of this.#listeners)
			listener(states.map(({ ref }) => ref));
	}

	remove(ref: ObjectRef): void {
		this.states.delete(keyOf(ref));
		for (const listener of this.#listeners) listener([ref]);
	}

	statuses(): readonly StatusState[] {
		return [...this.states.values()];
	}

	of(ref: ObjectRef): StatusState | undefined {
		return this.states.get(keyOf(ref));
	}

	subscribe(listener: (refs: readonly ObjectRef[]) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	events() {
		return ["a", "b"].map((name) => ({
			about: { kind: "RouteRule", namespace: "default", name },
			type: "Warning" as const,
			reason: "Rejected",
			message: "No.",
			count: 2,
			firstMs: 0,
			lastMs: 1000,
		}));
	}
}

function keyOf(ref: ObjectRef): string {
	return [ref.kind, ref.namespace, ref.name].join("/");
}

const rule = state("RouteRule", "default", "reviews");
const other = state("RouteRule", "shop", "reviews");
const mesh = state("Mesh", "", "default");

function ask(
	target: string,
	reader: StatusReader,
	signal = new AbortController().signal,
): Promise<HttpResponse> {
	const url = new URL(target, "http://localhost");
	const request: HttpRequest = {
		method: "GET",
		path: url.pathname,
		query: url.searchParams,
		headers: new Map(),
		body: new Uint8Array(),
		peer: { address: "test", bearerToken: undefined },
	};
	return statusAnswer(request, reader, signal);
}

describe("statusAnswer", () => {
	let reader: MemoryReader;

	beforeEach(() => {
		reader = new MemoryReader();
		reader.put(mesh, rule, other);
	});

	const selections = [
		{
			path: "/v1/status",
			names: ["Mesh//default", keyOf(rule.ref), keyOf(other.ref)],
		},
		{
			path: "/v1/status/RouteRule",
			names: [keyOf(rule.ref), keyOf(other.ref)],
		},
		{ path: "/v1/status/RouteRule/shop", names: [keyOf(other.ref)] },
		{ path: "/v1/status/Mesh", names: ["Mesh//default"] },
		{ path: "/v1/status/Gateway", names: [] },
	];
	for (const { path, names } of selections)
		it(`lists what ${path} selects`, async () => {
			const { body } = await ask(path, reader);
			const { objects } = JSON.parse(String(body)) as { objects: ObjectRef[] };
			expect(objects.map(keyOf)).to.deep.equal(names);
		});

	it("shows one object with its status as Kubernetes has it", async () => {
		const { status, body } = await ask(
			"/v1/status/RouteRule/default/reviews",
			reader,
		);
		expect(status).to.equal(200);
		expect(JSON.parse(String(body))).to.deep.include({
			...rule.ref,
			generation: 2,
			createdAt: "1970-01-01T00:00:00Z",
			destination: "reviews",
			file: "rules.yaml",
			line: 3,
		});
		expect(String(body)).to.include(
			'"lastTransitionTime":"1970-01-01T00:00:00Z"',
		);
		expect((await ask("/v1/status/Mesh/default", reader)).status).to.equal(200);
	});

	it("says what there is when an object is not found or named wrongly", async () => {
		const missing = await ask("/v1/status/RouteRule/default/none", reader);
		expect(missing.status).to.equal(404);
		expect(missing.body).to.include("There is no RouteRule default/none");
		const long = await ask("/v1/status/RouteRule/a/b/c", reader);
		expect(long.status).to.equal(404);
		const scoped = await ask("/v1/status/Mesh/default/default", reader);
		expect(scoped.body).to.include("has no namespace");
	});

	/** Reads a watch line by line. */
	async function open(path: string) {
		const aborting = new AbortController();
		const { body } = await ask(`${path}?watch=1`, reader, aborting.signal);
		if (
			body === undefined ||
			typeof body === "string" ||
			body instanceof Uint8Array
		)
			throw new Error("A watch is a stream.");
		const lines = body[Symbol.asyncIterator]();
		const next = async (): Promise<string> => {
			const { done, value } = await lines.next();
			if (done === true) return "END";
			const { type, object } = JSON.parse(String(value)) as {
				type: string;
				object?: ObjectRef;
			};
			return object === undefined ? type : `${type} ${keyOf(object)}`;
		};
		return { next, end: () => aborting.abort(), lines };
	}

	it("streams what there is, then what changes, appears and goes", async () => {
		const { next, end } = await open("/v1/status/RouteRule/default");
		expect(await next()).to.equal("ADDED RouteRule/default/reviews");
		expect(await next()).to.equal("SYNCED");
		const changed = next();
		reader.put(mesh, other, rule);
		expect(await changed).to.equal("MODIFIED RouteRule/default/reviews");
		reader.put(state("RouteRule", "default", "new"));
		expect(await next()).to.equal("ADDED RouteRule/default/new");
		reader.remove(rule.ref);
		expect(await next()).to.equal("DELETED RouteRule/default/reviews");
		end();
		expect(await next()).to.equal("END");
		expect(reader.listeners).to.equal(0);
	});

	it("begins when each object has its status, right after a start", async () => {
		reader.isComplete.set(false);
		const { next } = await open("/v1/status/RouteRule/default");
		const first = next();
		reader.put(rule);
		reader.put(state("RouteRule", "default", "late"));
		reader.isComplete.set(true);
		expect([await first, await next(), await next()]).to.deep.equal([
			"ADDED RouteRule/default/reviews",
			"ADDED RouteRule/default/late",
			"SYNCED",
		]);
	});

	it("ends when the client leaves before that", async () => {
		reader.isComplete.set(false);
		const { next, end } = await open("/v1/status");
		const last = next();
		end();
		expect(await last).to.equal("END");
		expect(reader.listeners).to.equal(0);
	});

	it("waits for an object that does not exist yet", async () => {
		reader.remove(rule.ref);
		const { next } = await open("/v1/status/RouteRule/default/reviews");
		expect(await next()).to.equal("SYNCED");
		const added = next();
		reader.put(rule);
		expect(await added).to.equal("ADDED RouteRule/default/reviews");
	});

	it("skips states that a slow reader has not asked for", async () => {
		const { next, lines } = await open("/v1/status/RouteRule/default");
		await next();
		await next();
		for (let index = 0; index < 1000; index++) reader.put(rule);
		reader.put(state("RouteRule", "default", "last"));
		expect(await next()).to.equal("MODIFIED RouteRule/default/reviews");
		expect(await next()).to.equal("ADDED RouteRule/default/last");
		await lines.return?.();
		expect(reader.listeners).to.equal(0);
	});

	it("says nothing of an object that came and went unseen", async () => {
		const { next } = await open("/v1/status/RouteRule/default");
		await next();
		await next();
		const short = state("RouteRule", "default", "short");
		reader.put(short);
		reader.remove(short.ref);
		reader.put(rule);
		expect(await next()).to.equal("MODIFIED RouteRule/default/reviews");
	});

	it("lists events, and only those asked for", () => {
		const all = eventsAnswer(new URLSearchParams(), reader);
		expect(JSON.parse(String(all.body))).to.have.nested.property(
			"events[0].lastTime",
			"1970-01-01T00:00:01Z",
		);
		const one = eventsAnswer(new URLSearchParams({ name: "b" }), reader);
		expect(JSON.parse(String(one.body)))
			.to.have.property("events")
			.with.length(1);
	});
});
