import { expect } from "chai";
import { MemoryApiServer } from "../../test/testkit/memory-api-server.ts";
import type { KubeConnection, KubeResponse } from "./connection.ts";
import { KubeError } from "./kube-error.ts";
import { ObjectClient } from "./object-client.ts";
import { OversizedAnswer } from "./read-bounded.ts";
import { resources } from "./resources.ts";

const at = { namespace: "shop", name: "x" };

async function failureOf(promise: Promise<unknown>): Promise<KubeError> {
	try {
		await promise;
	} catch (error) {
		if (error instanceof KubeError) return error;
		throw error;
	}
	throw new Error("It did not fail.");
}

async function names(client: ObjectClient): Promise<readonly string[]> {
	const found: string[] = [];
	for await (const { metadata } of client.listAll(resources.RouteRule))
		found.push(metadata.name);
	return found;
}

/** Answers pages of objects of 1 MiB each. */
function heavy(count: number, limits: number[]): KubeConnection {
	const padding = "x".repeat(1024 * 1024);
	return {
		server: "memory:",
		[Symbol.asyncDispose]: () => Promise.resolve(),
		request: ({ query = {} }): Promise<KubeResponse> => {
			const limit = Number(query["limit"]);
			const from = Number(query["continue"] ?? 0);
			const to = Math.min(from + limit, count);
			limits.push(limit);
			const text = (): string =>
				JSON.stringify({
					metadata: { continue: to < count ? String(to) : "" },
					items: Array.from({ length: to - from }, (_, index) => ({
						metadata: {
							name: `r${from + index}`,
							uid: "u",
							resourceVersion: "1",
							annotations: { padding },
						},
					})),
				});
			return Promise.resolve({
				status: 200,
				headers: new Map(),
				body: (async function* () {
					const bytes = Buffer.from(text());
					for (let done = 0; done < bytes.length; done += 1024 * 1024)
						yield bytes.subarray(done, done + 1024 * 1024);
				})(),
				text: () => Promise.resolve(text()),
			});
		},
	};
}

describe("ObjectClient", () => {
	it("creates, gets, replaces, merges and deletes an object", async () => {
		const client = new ObjectClient(new MemoryApiServer());
		const made = await client.create(resources.ConfigMap, "shop", {
			metadata: { name: "x", namespace: "shop" },
			data: { a: "1" },
		});
		expect(made.content).to.include({ apiVersion: "v1", kind: "ConfigMap" });
		const found = await client.get(resources.ConfigMap, at);
		expect(found).to.deep.equal(made);
		const replaced = await client.replace(resources.ConfigMap, at, {
			metadata: {
				...at,
				resourceVersion: found.metadata.resourceVersion,
			},
			data: { b: "2" },
		});
		expect(replaced.content["data"]).to.deep.equal({ b: "2" });
		const merged = await client.merge(resources.ConfigMap, at, {
			data: { c: "3" },
		});
		expect(merged.content["data"]).to.deep.equal({ b: "2", c: "3" });
		expect(await client.delete(resources.ConfigMap, at)).to.equal(true);
		expect(await client.delete(resources.ConfigMap, at)).to.equal(false);
	});

	it("refuses to overwrite what it has not seen", async () => {
		const client = new ObjectClient(new MemoryApiServer());
		const object = { metadata: { ...at, resourceVersion: "99" } };
		await client.create(resources.ConfigMap, "shop", { metadata: at });
		const error = await failureOf(
			client.replace(resources.ConfigMap, at, object),
		);
		expect(error).to.include({ code: "KUBE_CONFLICT", reason: "Conflict" });
	});

	it("lists page by page", async () => {
		const server = new MemoryApiServer();
		const path = "/apis/lateen.dev/v1alpha1/namespaces/shop/routerules";
		for (let index = 0; index < 1201; index += 1)
			server.put(`${path}/r${index}`, { metadata: { name: `r${index}` } });
		const found = await names(new ObjectClient(server));
		expect(new Set(found).size).to.equal(1201);
		expect(server.requests.length).to.equal(3);
	});

	it("lists objects of hostile size in smaller pages", async () => {
		const limits: number[] = [];
		const found = await names(new ObjectClient(heavy(100, limits)));
		expect(new Set(found).size).to.equal(100);
		expect(Math.min(...limits)).to.equal(7);
	});

	it("reads no answer that is larger than any object", async () => {
		const client = new ObjectClient(heavy(100, []));
		const error = await failureOf(client.list(resources.RouteRule, {}));
		expect(error).to.be.instanceOf(OversizedAnswer);
	});

	it("says so when something answers that is no API server", async () => {
		const text = (): Promise<string> => Promise.resolve("<html>Hello</html>");
		const client = new ObjectClient({
			server: "memory:",
			[Symbol.asyncDispose]: () => Promise.resolve(),
			request: () =>
				Promise.resolve({
					status: 200,
					headers: new Map(),
					body: (async function* () {
						yield Buffer.from(await text());
					})(),
					text,
				}),
		});
		const error = await failureOf(client.get(resources.RouteRule, at));
		expect(error.code).to.equal("KUBE_FAILED");
		expect(error.message).to.contain("is not JSON");
	});
});
