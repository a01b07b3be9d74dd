import { expect } from "chai";
import { ObjectClient } from "../../kube/object-client.ts";
import { openConnection } from "../../kube/open-connection.ts";
import type { HttpHandler, HttpResponse } from "../../lib/handler.ts";
import { systemClock } from "../../lib/system-clock.ts";
import { printAddress } from "../../net/address.ts";
import { serveHttp } from "../../net/http-server.ts";
import { silentLogger } from "../../observability/logger.ts";
import { ClusterReplicas } from "./replicas.ts";

const secret = "the-token-itself";

function json(status: number, body: unknown): HttpResponse {
	return { status, body: JSON.stringify(body) };
}

function failed(code: number, reason: string, message: string): HttpResponse {
	return json(code, { kind: "Status", code, reason, message });
}

function pod(name: string, status: object = {}): object {
	return {
		metadata: { name, namespace: "ours", uid: name, resourceVersion: "1" },
		spec: {
			containers: [{ ports: [{ name: "https-webhook", containerPort: 4711 }] }],
		},
		status: { phase: "Running", podIP: "192.0.2.1", ...status },
	};
}

interface Known {
	readonly workload: string;
	readonly id?: string;
	readonly connectedAt?: string;
}

function proxies(...known: readonly Known[]): HttpResponse {
	return json(200, {
		proxies: known.map((one) => ({
			id: `sidecar~${one.workload}`,
			connectedAt: "2026-01-01T00:00:00.000Z",
			...one,
		})),
	});
}

/** How a pod answers a path. */
type Pod = (path: string) => HttpResponse;

describe("ClusterReplicas", () => {
	const owned: AsyncDisposable[] = [];
	/** What pods were asked. */
	const asked: string[] = [];
	/** ServiceAccounts of which tokens were made. */
	const tokensOf: string[] = [];
	/** What pods were told to change. */
	const changes: string[] = [];
	afterEach(async () => {
		for (const one of owned.splice(0).reverse())
			await one[Symbol.asyncDispose]();
		for (const list of [asked, tokensOf, changes]) list.splice(0);
	});

	/** The replicas of an API server that has these pods. */
	async function replicasOf(
		pods: Readonly<Record<string, Pod>>,
		listed: readonly object[] = Object.keys(pods).map((name) => pod(name)),
		token: HttpResponse = json(201, { status: { token: secret } }),
	): Promise<ClusterReplicas> {
		const handler: HttpHandler = async ({
			method,
			path,
			headers,
			query,
			body,
		}) => {
			if (method === "POST") {
				tokensOf.push(/serviceaccounts\/([^/]+)\/token$/.exec(path)?.[1] ?? "");
				return token;
			}
			if (path === "/api/v1/namespaces/ours/pods")
				return json(200, {
					items: listed,
					metadata: { resourceVersion: "1" },
				});
			const [, name = "", port, below = ""] =
				/^\/api\/v1\/namespaces\/ours\/pods\/https:([^:]+):(\d+)\/proxy(.*)$/.exec(
					path,
				) ?? [];
			expect(port).to.equal("4711");
			expect(headers.get("x-lateen-token")).to.equal(secret);
			if (method !== "GET")
				changes.push(`${name} ${Buffer.from(body).toString()}`);
			const search = query.toString();
			asked.push(`${name} ${below}${search === "" ? "" : `?${search}`}`);
			return (
				pods[name]?.(below) ?? failed(404, "NotFound", "there is no such pod")
			);
		};
		const server = await serveHttp({
			listen: { host: "127.0.0.1", port: 0 },
			handler,
			log: silentLogger,
		});
		owned.push(server);
		const connection = openConnection(
			{
				server: `http://${printAddress(server.address)}`,
				serverName: undefined,
				insecure: false,
				namespace: "default",
				headers: {},
				load: async () => ({
					ca: undefined,
					authorization: undefined,
					certificate: undefined,
				}),
			},
			{ clock: systemClock, userAgent: "lateen/test" },
		);
		owned.push(connection);
		return new ClusterReplicas({
			connection,
			client: new ObjectClient(connection),
			namespace: "ours",
		});
	}

	/** The error's message, without which the test fails. */
	const refusalOf = async (asking: Promise<unknown>): Promise<string> =>
		asking.then(
			(value) => {
				throw new Error(`It answered ${JSON.stringify(value)}`);
			},
			(error: unknown) => (error instanceof Error ? error.message : ""),
		);

	it("lists the proxies of all, in order, and who has each", async () => {
		const replicas = await replicasOf({
			a: () => proxies({ workload: "x/2" }),
			b: () => proxies({ workload: "x/1" }, { workload: "x/3" }),
		});
		expect(
			(await replicas.proxies()).map((one) => {
				const { workload, replica } = one as Record<string, unknown>;
				return `${workload} at ${replica}`;
			}),
		).to.deep.equal(["x/1 at b", "x/2 at a", "x/3 at b"]);
		expect(replicas.missing).to.deep.equal([]);
	});

	it("takes the newest connection of a proxy that two know", async () => {
		const at = (time: string) => () =>
			proxies({ workload: "x/1", connectedAt: time });
		const replicas = await replicasOf({
			a: at("2026-01-01T00:00:01.000Z"),
			b: at("2026-01-01T00:00:02.000Z"),
			c: at("2026-01-01T00:00:00.000Z"),
		});
		await replicas.ofProxy("x/1", (id) => `/v1/resources?proxy=${id}`);
		expect(asked.at(-1)).to.equal("b /v1/resources?proxy=sidecar%7Ex%2F1");
		expect(await replicas.proxies()).to.have.length(1);
	});

	it("asks for an id where a gateway has proxies at two", async () => {
		const replicas = await replicasOf({
			a: () => proxies({ workload: "x/gate", id: "gateway~x/gate~1" }),
			b: () => proxies({ workload: "x/gate", id: "gateway~x/gate~2" }),
		});
		const path = (id: string): string => `/v1/proxies/${id}`;
		expect(await refusalOf(replicas.ofProxy("x/gate", path))).to.equal(
			"2 proxies of x/gate are connected. Name one by its id: gateway~x/gate~1, gateway~x/gate~2.",
		);
		await replicas.ofProxy("gateway~x/gate~2", path);
		expect(asked.at(-1)).to.equal("b /v1/proxies/gateway~x/gate~2");
	});

	it("asks no pod that has ended or has no address yet", async () => {
		const replicas = await replicasOf({ a: () => proxies() }, [
			pod("a"),
			pod("b", { phase: "Succeeded" }),
			pod("c", { phase: "Failed" }),
			pod("d", { phase: "Pending", podIP: undefined }),
		]);
		await replicas.proxies();
		expect(asked).to.deep.equal(["a /v1/proxies"]);
	});

	it("passes over a pod that is gone since it was listed", async () => {
		const replicas = await replicasOf(
			{ a: () => proxies({ workload: "x/1" }) },
			[pod("a"), pod("gone")],
		);
		expect(await replicas.proxies()).to.have.length(1);
		expect(replicas.missing).to.deep.equal([]);
	});

	const silent = [
		{
			name: "is not reached",
			answer: failed(503, "ServiceUnavailable", "error trying to reach it"),
			why: "error trying to reach it",
		},
		{
			name: "cannot check the token",
			answer: json(503, { error: "It cannot be checked now." }),
			why: "It cannot be checked now",
		},
		{
			name: "is too old",
			answer: { status: 404, body: "There is only /validate here.\n" },
			why: "it is of a version without this",
		},
	];
	for (const { name, answer, why } of silent) {
		it(`notes one that ${name}, and tells what the others know`, async () => {
			const replicas = await replicasOf({
				a: () => proxies({ workload: "x/1" }),
				b: () => answer,
			});
			expect(await replicas.proxies()).to.have.length(1);
			expect(replicas.missing).to.deep.equal([
				`The replica b did not answer: ${why}. What only it knows is missing here.`,
			]);
		});

		it(`fails where the only one ${name}`, async () => {
			const replicas = await replicasOf({ b: () => answer });
			expect(await refusalOf(replicas.proxies())).to.include(
				`The replica b did not answer: ${why}.`,
			);
		});
	}

	it("tells nobody the token, whoever refuses it", async () => {
		const refused = [
			failed(403, "Forbidden", "pods is forbidden"),
			failed(401, "Unauthorized", "who are you"),
			json(403, { error: "This needs a token" }),
		];
		for (const answer of refused) {
			const replicas = await replicasOf({ a: () => answer });
			const said = await refusalOf(replicas.proxies());
			expect(said).to.match(/get pods\/proxy|does not accept the token/);
			expect(said).to.not.include(secret);
		}
	});

	it("names what is missing for a token to be made", async () => {
		const forbidden = await replicasOf(
			{ a: () => proxies() },
			[pod("a")],
			failed(403, "Forbidden", "may not"),
		);
		expect(await refusalOf(forbidden.proxies())).to.include(
			"the verb create on serviceaccounts/token",
		);
		const absent = await replicasOf({ a: () => proxies() }, [pod("a")], {
			status: 404,
			body: JSON.stringify({
				kind: "Status",
				code: 404,
				reason: "NotFound",
				details: { name: "lateen-reader", kind: "serviceaccounts" },
			}),
		});
		expect(await refusalOf(absent.proxies())).to.include(
			"There is no ServiceAccount lateen-reader in the namespace ours",
		);
	});

	it("asks each replica, and changes each with a token of its own kind", async () => {
		const replicas = await replicasOf({
			a: () => json(200, { at: "a" }),
			b: () => json(200, { at: "b" }),
		});
		expect(await replicas.each("/v1/log-levels")).to.deep.equal([
			{ replica: "a", body: { at: "a" } },
			{ replica: "b", body: { at: "b" } },
		]);
		expect(tokensOf).to.deep.equal(["lateen-reader"]);
		await replicas.each("/v1/log-levels", {
			method: "PUT",
			body: { default: "debug" },
		});
		expect(tokensOf).to.deep.equal(["lateen-reader", "lateen-operator"]);
		expect(changes).to.deep.equal([
			'a {"default":"debug"}',
			'b {"default":"debug"}',
		]);
	});

	it("says which replica refuses a change, and which right is missing for one", async () => {
		const change = { method: "PUT", body: {} } as const;
		const refusing = await replicasOf({
			a: () => json(400, { error: "There is no part x." }),
		});
		expect(await refusalOf(refusing.each("/v1/log-levels", change))).to.equal(
			"There is no part x.",
		);
		const forbidding = await replicasOf({
			a: () => failed(403, "Forbidden", "no"),
		});
		expect(await refusalOf(forbidding.each("/v1/log-levels", change))).to.match(
			/update.*pods\/proxy/,
		);
	});

	it("says that there is no pod, and where else to look", async () => {
		const replicas = await replicasOf({}, []);
		expect(await refusalOf(replicas.proxies())).to.include(
			"runs in the namespace ours. Name the one that Lateen runs in with --lateen-namespace",
		);
	});

	it("puts together what comes from an object", async () => {
		const of = (workload: string) => () =>
			json(200, { object: { name: "r" }, proxies: [{ workload }] });
		const replicas = await replicasOf({
			a: of("x/2"),
			b: of("x/1"),
			c: () => json(404, { error: "There is no r." }),
		});
		expect(await replicas.merged("/v1/why?name=r")).to.deep.equal({
			object: { name: "r" },
			proxies: [{ workload: "x/1" }, { workload: "x/2" }],
		});
		const none = await replicasOf({
			a: () => json(404, { error: "There is no r." }),
		});
		expect(await refusalOf(none.merged("/v1/why?name=r"))).to.equal(
			"There is no r.",
		);
	});
});
