import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../../testkit/eventually.ts";
import {
	type Application,
	type Caller,
	killed,
	LiveMesh,
} from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";
import { send } from "../../testkit/send.ts";

const destination = { name: "echo" };
const url = "http://echo/";

function answering(status: number, more: object = {}): string {
	return ruleYaml("tested", { destination, respond: { status }, ...more });
}

describe("bad rules beside good ones", () => {
	let mesh: LiveMesh;
	let caller: Caller;
	let good = 200;

	before(async () => {
		mesh = await LiveMesh.start(serviceYaml("echo") + serviceYaml("other"));
		for (const service of ["echo", "other"])
			await mesh.application({ name: service, service });
		caller = await mesh.caller("default/caller", { marked: false });
	});

	after(() => mesh[Symbol.asyncDispose]());

	/** A change to another service's rule; when it is in force, what was written before it has been looked at. */
	async function goodChange(): Promise<void> {
		good = good === 299 ? 201 : good + 1;
		mesh.write(
			"good.yaml",
			ruleYaml("good", {
				destination: { name: "other" },
				respond: { status: good },
			}),
		);
		await eventually(async () =>
			expect((await caller.ask("http://other/")).status).to.equal(good),
		);
	}

	for (const { name, bad, told } of [
		{
			name: "a weight below 0",
			bad: ruleYaml("tested", { destination, route: [{ weight: -1 }] }),
			told: "spec.route[0].weight",
		},
		{
			name: "an unknown field",
			bad: ruleYaml("tested", { destination, redirekt: {} }),
			told: "spec.redirekt",
		},
		{
			name: "both route and redirect",
			bad: ruleYaml("tested", {
				destination,
				route: [{ weight: 1 }],
				redirect: { path: "/x" },
			}),
			told: "Only one of route, redirect and respond",
		},
		{
			name: "a regex that RE2 refuses",
			bad: answering(299, { match: [{ path: { regex: "/(?!x)" } }] }),
			told: "spec.match[0].path.regex",
		},
		{
			name: "a duration without a unit",
			bad: ruleYaml("tested", { destination, timeout: "5" }),
			told: "spec.timeout",
		},
		{
			name: "nothing but weights of 0",
			bad: ruleYaml("tested", {
				destination,
				route: [{ weight: 0 }, { weight: 0 }],
			}),
			told: "All weights are 0",
		},
		{
			name: "2 MB of rule",
			bad: answering(299, {
				match: [{ headers: { "x-a": "x".repeat(2 * 1024 * 1024) } }],
			}),
			told: "rule.yaml",
		},
		{
			name: "a binary file",
			bad: Buffer.concat([Buffer.from([0xff, 0, 1, 2]), Buffer.alloc(1_000)]),
			told: "zero byte",
		},
		{
			name: "YAML that ends in the middle",
			bad: "apiVersion: lateen.dev/v1alpha1\nkind: RouteRule\nmetadata: {name: tested, names",
			told: "rule.yaml",
		},
	])
		it(`with ${name}, keep the last good form in force and let others change`, async () => {
			mesh.write("rule.yaml", answering(418));
			await eventually(async () =>
				expect((await caller.ask(url)).status).to.equal(418),
			);
			mesh.write("rule.yaml", bad);
			await eventually(async () => {
				const problems = await mesh.admin("/v1/problems");
				expect(problems).to.include(told);
				expect(JSON.parse(problems).problems[0].severity).to.equal("error");
			});
			await goodChange();
			expect((await caller.ask(url)).status).to.equal(418);
			// And the next good form takes over.
			mesh.write("rule.yaml", answering(419));
			await eventually(async () =>
				expect((await caller.ask(url)).status).to.equal(419),
			);
			await eventually(async () =>
				expect(await mesh.admin("/v1/problems")).to.equal('{"problems":[]}\n'),
			);
		});
});

describe("when parts die", () => {
	let mesh: LiveMesh;
	let caller: Caller;
	let v1: Application;

	before(async () => {
		mesh = await LiveMesh.start(serviceYaml("echo"));
		v1 = await mesh.application({
			name: "echo-v1",
			service: "echo",
			labels: { version: "v1" },
		});
		await mesh.application({
			name: "echo-v2",
			service: "echo",
			labels: { version: "v2" },
		});
		caller = await mesh.caller();
	});

	after(() => mesh[Symbol.asyncDispose]());

	/** Resources and removals that the control plane sent since it started, by type. */
	async function sent(): Promise<Readonly<Record<string, number>>> {
		const metrics = await mesh.admin("/metrics");
		return Object.fromEntries(
			[
				...metrics.matchAll(
					/^lateen_xds_resources_total\{type="(\w+)"\} (\d+)$/gm,
				),
			].map(([, type = "", count]) => [type, Number(count)]),
		);
	}

	/** Asks without a pause until it is disposed of, and counts what was not a good answer. */
	function traffic() {
		const failures: unknown[] = [];
		let count = 0;
		let stopped = false;
		const worker = async (): Promise<void> => {
			while (!stopped) {
				try {
					const { status } = await caller.ask(url);
					if (status !== 200) failures.push(status);
				} catch (error) {
					failures.push(error);
				}
				count += 1;
			}
		};
		const workers = [worker(), worker(), worker(), worker()];
		return {
			/** Answers so far. */
			count: () => count,
			/** Waits until so many more have been answered. */
			more: async (howMany: number) => {
				const until = count + howMany;
				await eventually(() => expect(count).to.be.at.least(until));
			},
			stop: async (): Promise<readonly unknown[]> => {
				stopped = true;
				await Promise.all(workers);
				return failures;
			},
		};
	}

	it("the control plane: traffic never stops, and nothing unchanged is sent again", async () => {
		await mesh.rules(
			ruleYaml("only", {
				destination,
				route: [{ labels: { version: "v1" } }],
			}),
		);
		const running = traffic();
		await running.more(200);
		await mesh.stopServer();
		await running.more(500);
		await mesh.startServer();
		await eventually(async () => {
			const { proxies } = JSON.parse(await mesh.admin("/v1/proxies")) as {
				proxies: readonly { upToDate: boolean }[];
			};
			expect(proxies).to.have.length(1);
			expect(proxies[0]?.upToDate).to.equal(true);
		}, 30_000);
		await running.more(200);
		expect(await sent()).to.deep.equal({
			cluster: 0,
			endpoint: 0,
			listener: 0,
			route: 0,
			virtualHost: 0,
		});
		// The proxy listens again: a change arrives, and just that.
		const before = v1.seen.length;
		await mesh.rules(
			ruleYaml("only", {
				destination,
				route: [{ labels: { version: "v2" } }],
			}),
		);
		await running.more(200);
		const failures = await running.stop();
		expect(failures).to.deep.equal([]);
		expect(v1.seen.length).to.be.at.least(before);
		expect(await sent()).to.include({ listener: 0, route: 0 });
		expect(await caller.tally(50, url)).to.deep.equal({ "echo-v2": 50 });
	});

	it("the control plane by SIGKILL: traffic never stops, and the next one carries on", async () => {
		await mesh.rules();
		await mesh.stopServer();
		const server = await mesh.startServerProcess();
		const running = traffic();
		await running.more(100);
		mesh.write("rules.yaml", answering(200));
		const { seen } = v1;
		await eventually(async () => {
			const before = seen.length;
			await running.more(50);
			// The proxy answers by itself now, as the rule says.
			expect(seen.length).to.equal(before);
		});
		await killed(server);
		await running.more(300);
		mesh.write("rules.yaml", "");
		await mesh.startServer();
		await eventually(async () => {
			expect((await caller.ask(url)).from).to.match(/^echo-/);
		}, 30_000);
		await running.more(100);
		expect(await running.stop()).to.deep.equal([]);
		expect(await sent()).to.include({ cluster: 0, endpoint: 0, listener: 0 });
	});

	it("the control plane, with a change while it is away: just that is sent", async () => {
		await mesh.rules(answering(418));
		expect((await caller.ask(url)).status).to.equal(418);
		await mesh.stopServer();
		mesh.write("rules.yaml", answering(419));
		expect((await caller.ask(url)).status).to.equal(418);
		await mesh.startServer();
		await eventually(
			async () => expect((await caller.ask(url)).status).to.equal(419),
			30_000,
		);
		expect(await sent()).to.deep.equal({
			cluster: 0,
			endpoint: 0,
			listener: 0,
			route: 0,
			virtualHost: 1,
		});
	});

	it("an Envoy that is killed has everything again when it is started on its folder", async () => {
		await mesh.rules(answering(418));
		const other = await mesh.caller("default/other", { marked: false });
		const { child, folder } = other.envoy;
		await killed(child);
		mesh.write("rules.yaml", answering(417));
		const again = await mesh.startEnvoy(folder);
		await eventually(async () => {
			const { status } = await send(url, {}, { proxy: other.proxy });
			expect(status).to.equal(417);
		});
		const { body } = await send(`http://${again.admin}/clusters`);
		expect(body).to.include("outbound|80||echo.default.svc.cluster.local::");
		await eventually(async () => {
			const { proxies } = JSON.parse(await mesh.admin("/v1/proxies")) as {
				proxies: readonly { workload: string }[];
			};
			expect(proxies.map(({ workload }) => workload)).to.have.members([
				"default/caller",
				"default/other",
			]);
		});
	});

	it("an Envoy that starts while the control plane is away waits for it", async () => {
		await mesh.rules(answering(416));
		const late = await mesh.caller("default/late", { marked: false });
		const { child, folder, admin: oldAdmin } = late.envoy;
		await killed(child);
		await mesh.stopServer();
		const starting = mesh.startEnvoy(folder);
		await eventually(async () => {
			const admin = readFileSync(join(folder, "admin"), "utf8").trim();
			expect(admin).not.to.equal(oldAdmin);
			const { status, body } = await send(`http://${admin}/ready`);
			expect(status).to.equal(503);
			expect(body).to.include("INITIALIZING");
		});
		await mesh.startServer();
		await starting;
		const { status } = await send(url, {}, { proxy: late.proxy });
		expect(status).to.equal(416);
	});
});
