import { expect } from "chai";
import { type Caller, LiveMesh } from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";
import { send } from "../../testkit/send.ts";
import { expectShare } from "../../testkit/share.ts";

const destination = { name: "echo" };
const url = "http://echo/";
const v1 = { labels: { version: "v1" } };
const v2 = { labels: { version: "v2" } };

describe("route", () => {
	let mesh: LiveMesh;
	let caller: Caller;

	before(async () => {
		mesh = await LiveMesh.start(serviceYaml("echo") + serviceYaml("other"));
		for (const version of ["v1", "v2"])
			await mesh.application({
				name: `echo-${version}`,
				service: "echo",
				labels: { version },
			});
		await mesh.application({ name: "other", service: "other" });
		caller = await mesh.caller();
	});

	after(() => mesh[Symbol.asyncDispose]());

	it("splits requests by weight", async () => {
		await mesh.rules(
			ruleYaml("canary", {
				destination,
				route: [
					{ ...v2, weight: 25 },
					{ ...v1, weight: 75 },
				],
			}),
		);
		const tally = await caller.tally(2_000, url);
		expect(tally).to.have.all.keys("echo-v1", "echo-v2");
		expectShare(tally["echo-v2"] ?? 0, 2_000, 0.25);
	});

	it("takes weights as relative, whatever they add up to", async () => {
		await mesh.rules(
			ruleYaml("canary", {
				destination,
				route: [
					{ ...v1, weight: 2 },
					{ ...v2, weight: 1 },
					{ destination: { name: "other" }, weight: 3 },
				],
			}),
		);
		const tally = await caller.tally(2_000, url);
		expect(tally).to.have.all.keys("echo-v1", "echo-v2", "other");
		expectShare(tally["echo-v1"] ?? 0, 2_000, 2 / 6);
		expectShare(tally["echo-v2"] ?? 0, 2_000, 1 / 6);
	});

	it("sends nothing to an entry of weight 0", async () => {
		await mesh.rules(
			ruleYaml("canary", {
				destination,
				route: [
					{ ...v1, weight: 0 },
					{ ...v2, weight: 1 },
				],
			}),
		);
		expect(await caller.tally(200, url)).to.deep.equal({ "echo-v2": 200 });
	});

	it("sends everything to the one entry, with or without a weight", async () => {
		await mesh.rules(ruleYaml("only", { destination, route: [v1] }));
		expect(await caller.tally(100, url)).to.deep.equal({ "echo-v1": 100 });
	});

	it("sends traffic to another service", async () => {
		await mesh.rules(
			ruleYaml("moved", {
				destination,
				route: [{ destination: { name: "other" } }],
			}),
		);
		expect(await caller.tally(100, url)).to.deep.equal({ other: 100 });
	});

	it("changes headers of one share only", async () => {
		await mesh.rules(
			ruleYaml("marked", {
				destination,
				route: [
					{
						...v2,
						headers: {
							request: { set: { "x-version": "two" }, remove: ["x-gone"] },
							response: { add: { "x-served-by": "two" } },
						},
					},
					v1,
				],
			}),
		);
		const seen = new Set<string | number>();
		for (let i = 0; seen.size < 2 && i < 200; i++) {
			const {
				from,
				headers,
				seen: request,
			} = await caller.ask(url, {
				headers: { "x-gone": "here" },
			});
			seen.add(from);
			const two = from === "echo-v2";
			expect(request?.headers["x-version"]).to.equal(two ? "two" : undefined);
			expect(request?.headers["x-gone"]).to.equal(two ? undefined : "here");
			expect(headers["x-served-by"]).to.equal(two ? "two" : undefined);
		}
		expect([...seen]).to.have.members(["echo-v1", "echo-v2"]);
	});

	it("spreads over the whole service when no rule says otherwise", async () => {
		await mesh.rules();
		const tally = await caller.tally(400, url);
		expect(tally).to.have.all.keys("echo-v1", "echo-v2");
	});

	it("names clusters in Envoy's statistics by service, port and version", async () => {
		await mesh.rules(ruleYaml("only", { destination, route: [v1] }));
		await caller.ask(url);
		const { body } = await send(
			`http://${caller.envoy.admin}/stats/prometheus`,
		);
		expect(body).to.include(
			'envoy_cluster_name="outbound|80||echo_default_svc_cluster_local"',
		);
		expect(body).to.include(
			'envoy_cluster_name="outbound|80|version=v1|echo_default_svc_cluster_local"',
		);
	});
});
