import { once } from "node:events";
import { connect, createServer } from "node:http2";
import { Client, credentials } from "@grpc/grpc-js";
import { expect } from "chai";
import { freePorts } from "../../../hack/programs/free-ports.ts";
import { eventually } from "../../testkit/eventually.ts";
import { callGrpc, grpcApplication } from "../../testkit/grpc-echo.ts";
import { type Caller, LiveMesh } from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";
import { expectShare } from "../../testkit/share.ts";

describe("HTTP/2 and gRPC services", () => {
	let mesh: LiveMesh;
	let caller: Caller;
	let client: Client;

	before(async () => {
		mesh = await LiveMesh.start(
			serviceYaml("echo") +
				serviceYaml("cart", [{ name: "grpc", port: 7070 }]) +
				serviceYaml("modern", [{ name: "http2", port: 80 }]),
		);
		for (const version of ["v1", "v2"])
			mesh.workload({
				name: `cart-${version}`,
				service: "cart",
				labels: { version },
				ports: { grpc: await grpcApplication(mesh, version) },
			});
		const modern = createServer((request, response) => {
			response.end(
				`HTTP/${request.httpVersion} ${request.method} ${request.url}`,
			);
		});
		// Between the callers and the application stands its own proxy.
		const [inbound = 0] = await freePorts(1);
		const application = await mesh.listen(modern);
		await mesh.envoy("modern", [
			...["--proxy", "default/modern"],
			...["--inbound", `127.0.0.1:${inbound}=127.0.0.1:${application}=http2`],
		]);
		mesh.workload({
			name: "modern",
			service: "modern",
			ports: { http2: inbound },
		});
		caller = await mesh.caller();
		client = new Client(caller.proxy, credentials.createInsecure(), {
			"grpc.default_authority": "cart.default:7070",
			"grpc.enable_retries": 0,
		});
		mesh.atEnd(() => client.close());
	});

	after(() => mesh[Symbol.asyncDispose]());

	async function tally(
		count: number,
		headers: Readonly<Record<string, string>> = {},
	): Promise<Readonly<Record<string, number>>> {
		const all: Record<string, number> = {};
		for (let left = count; left > 0; left -= 50) {
			const batch = Array.from({ length: Math.min(left, 50) }, () =>
				callGrpc(client, headers),
			);
			for (const from of await Promise.all(batch))
				all[from] = (all[from] ?? 0) + 1;
		}
		return all;
	}

	/** Replaces the rule for the gRPC service and waits until a call with the header `x-mark` shows that it is in force. */
	async function rule(spec: object): Promise<void> {
		const mark = { abort: { httpStatus: 400 + (++marks % 90) } };
		await mesh.rules(
			ruleYaml("mark", {
				destination: { name: "cart" },
				precedence: 1,
				match: [{ headers: { "x-mark": String(marks) } }],
				fault: mark,
			}),
			ruleYaml("tested", { destination: { name: "cart" }, ...spec }),
		);
		await eventually(async () =>
			expect(await callGrpc(client, { "x-mark": String(marks) })).to.match(
				/^status/,
			),
		);
	}
	let marks = 0;

	it("splits calls by weight", async () => {
		await rule({
			route: [
				{ labels: { version: "v2" }, weight: 30 },
				{ labels: { version: "v1" }, weight: 70 },
			],
		});
		const all = await tally(1_000);
		expect(all).to.have.all.keys("v1", "v2");
		expectShare(all["v2"] ?? 0, 1_000, 0.3);
	});

	it("matches metadata, and the method as path", async () => {
		await rule({
			match: [{ headers: { "x-user": "jason" }, path: "/echo.Echo/Say" }],
			route: [{ labels: { version: "v2" } }],
		});
		expect(await tally(20, { "x-user": "jason" })).to.deep.equal({ v2: 20 });
		expect(await tally(60)).to.have.all.keys("v1", "v2");
	});

	it("answers with a gRPC status that a fault says", async () => {
		await rule({ fault: { abort: { percent: 100, grpcStatus: 8 } } });
		const [status] = Object.keys(await tally(10));
		expect(status).to.match(/^status 8: fault filter abort/);
	});

	it("answers UNAVAILABLE with a sentence when there is no endpoint", async () => {
		await rule({ route: [{ labels: { version: "v9" } }] });
		// The mark may be there first: the rule itself waits for its new cluster.
		await eventually(async () =>
			expect(await callGrpc(client)).to.match(/^status 14: .*version=v9/),
		);
	});

	it("ends calls when the rule's timeout is over", async () => {
		await rule({ timeout: "150ms", retries: { attempts: 0 } });
		expect(await callGrpc(client, { "x-hang": "1" })).to.match(
			/^status (4|14): .*timeout/i,
		);
		expect(await callGrpc(client)).to.match(/^v[12]$/);
	});

	it("speaks HTTP/2 to an application whose port says so, whatever the caller speaks", async () => {
		await mesh.rules();
		await eventually(async () =>
			expect((await caller.ask("http://modern/x?y")).body).to.equal(
				"HTTP/2.0 GET /x?y",
			),
		);
		const session = connect(`http://${caller.proxy}`);
		session.on("error", () => undefined);
		const stream = session.request({
			":authority": "modern.default",
			":path": "/z",
		});
		const [chunk] = (await once(stream, "data")) as [Buffer];
		session.destroy();
		expect(chunk.toString()).to.equal("HTTP/2.0 GET /z");
	});
});
