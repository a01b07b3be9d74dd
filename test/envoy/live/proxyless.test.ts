import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../../testkit/eventually.ts";
import { grpcApplication } from "../../testkit/grpc-echo.ts";
import { killed, LiveMesh } from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";
import type { ProxylessCalls } from "../../testkit/proxyless-client.ts";
import { expectShare } from "../../testkit/share.ts";

const program = join(import.meta.dirname, "../../testkit/proxyless-client.ts");

describe("a gRPC client without a proxy", () => {
	let mesh: LiveMesh;
	let child: ChildProcess;

	before(async () => {
		mesh = await LiveMesh.start(
			serviceYaml("cart", [{ name: "grpc", port: 7070 }]),
		);
		for (const version of ["v1", "v2"])
			mesh.workload({
				name: `cart-${version}`,
				service: "cart",
				labels: { version },
				ports: { grpc: await grpcApplication(mesh, version) },
			});
		const bootstrap = await mesh.grpcBootstrap("default/client");
		child = fork(program, ["xds:///cart.default:7070"], {
			env: { ...process.env, GRPC_XDS_BOOTSTRAP: bootstrap },
		});
		mesh.atEnd(() => killed(child));
	});

	after(() => mesh[Symbol.asyncDispose]());

	async function tally(
		count: number,
		headers: Readonly<Record<string, string>> = {},
	): Promise<Readonly<Record<string, number>>> {
		const calls: ProxylessCalls = { count, headers };
		child.send(calls);
		const [all] = (await once(child, "message")) as [Record<string, number>];
		return all;
	}

	async function rule(
		spec: object,
		inForce: () => Promise<unknown>,
	): Promise<void> {
		mesh.write(
			"rules.yaml",
			ruleYaml("tested", { destination: { name: "cart" }, ...spec }),
		);
		await eventually(inForce, 20_000);
	}

	it("calls the whole service when there is no rule", async () => {
		await eventually(async () =>
			expect(await tally(40)).to.have.all.keys("v1", "v2"),
		);
	});

	it("takes a rule for all calls while it runs", async () => {
		await rule({ route: [{ labels: { version: "v2" } }] }, async () =>
			expect(await tally(40)).to.deep.equal({ v2: 40 }),
		);
	});

	it("splits calls by weight", async () => {
		await rule(
			{
				route: [
					{ labels: { version: "v2" }, weight: 20 },
					{ labels: { version: "v1" }, weight: 80 },
				],
			},
			async () => expect(await tally(60)).to.have.all.keys("v1", "v2"),
		);
		const all = await tally(1_000);
		expectShare(all["v2"] ?? 0, 1_000, 0.2);
	});

	it("matches metadata", async () => {
		await rule(
			{
				match: [{ headers: { "x-beta": { present: true } } }],
				route: [{ labels: { version: "v2" } }],
			},
			async () => {
				expect(await tally(20, { "x-beta": "1" })).to.deep.equal({ v2: 20 });
				expect(await tally(40)).to.have.all.keys("v1", "v2");
			},
		);
	});

	it("answers with the fault that a rule says", async () => {
		await rule(
			{ fault: { abort: { percent: 100, grpcStatus: 7 } } },
			async () => {
				const [status] = Object.keys(await tally(5));
				expect(status).to.match(/^status 7/);
			},
		);
	});
});
