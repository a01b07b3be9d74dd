import type { ServerResponse } from "node:http";
import { expect } from "chai";
import { freePorts } from "../../../hack/programs/free-ports.ts";
import { eventually } from "../../testkit/eventually.ts";
import {
	type Application,
	type Caller,
	inParallel,
	LiveMesh,
} from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";
import { send } from "../../testkit/send.ts";
import { expectShare } from "../../testkit/share.ts";

const destination = { name: "echo" };
const url = "http://echo/";

describe("a rule about slow and failed requests", () => {
	let mesh: LiveMesh;
	let caller: Caller;
	/** Two workloads of the Service; they do what the request's headers say. */
	let echoes: readonly Application[];
	let copies: Application;
	/** Answers that the header `x-hang` holds back. */
	const held: ServerResponse[] = [];

	before(async () => {
		mesh = await LiveMesh.start(serviceYaml("echo") + serviceYaml("copies"));
		echoes = await Promise.all(
			["v1", "v2"].map((version) =>
				mesh.application({
					name: `echo-${version}`,
					service: "echo",
					labels: { version },
					behaviour: (request, response) => {
						const { headers } = request;
						if (["all", version].includes(String(headers["x-hang"]))) {
							held.push(response);
							return true;
						}
						if (headers["x-half"] !== undefined) {
							response.write("half");
							return true;
						}
						const status = headers[`x-status-${version}`];
						if (status === undefined) return false;
						response.writeHead(Number(status)).end();
						return true;
					},
				}),
			),
		);
		copies = await mesh.application({ name: "copies", service: "copies" });
		caller = await mesh.caller();
	});

	beforeEach(() => {
		for (const { seen } of [...echoes, copies]) seen.length = 0;
	});

	after(() => mesh[Symbol.asyncDispose]());

	function rule(spec: object): Promise<void> {
		return mesh.rules(ruleYaml("tested", { destination, ...spec }));
	}

	/** Requests of the test that reached an application; the counts of each workload. */
	function tries(): number[] {
		return echoes.map(({ seen }) => seen.length);
	}

	/** Does something while the Service has a third endpoint, of the workload `echo-dead`. */
	async function withEndpoint<T>(
		port: number,
		act: () => Promise<T>,
	): Promise<T> {
		const listed = async (): Promise<boolean> =>
			(await send(`http://${caller.envoy.admin}/clusters`)).body.includes(
				`:${port}::`,
			);
		mesh.workload({
			name: "echo-dead",
			service: "echo",
			ports: { http: port },
		});
		await eventually(async () => expect(await listed()).to.equal(true));
		try {
			return await act();
		} finally {
			mesh.removeWorkload("echo-dead");
			await eventually(async () => expect(await listed()).to.equal(false));
		}
	}

	const failing = {
		headers: { "x-status-v1": "503", "x-status-v2": "503" },
	};

	describe("timeout", () => {
		it("answers 504 when the time is over", async () => {
			await rule({ timeout: "150ms", retries: { attempts: 0 } });
			const { status, tookMs } = await caller.ask(url, {
				headers: { "x-hang": "all" },
			});
			expect(status).to.equal(504);
			expect(tookMs).to.be.within(140, 5_000);
		});

		it("holds nothing back that comes in time", async () => {
			await rule({ timeout: "10s" });
			expect((await caller.ask(url)).status).to.equal(200);
		});

		it("is off with 0s: the answer may take longer than any other limit of the rule", async () => {
			await rule({
				timeout: "0s",
				fault: { delay: { duration: "300ms" } },
			});
			const { status, tookMs } = await caller.ask(url);
			expect(status).to.equal(200);
			expect(tookMs).to.be.at.least(250);
		});
	});

	describe("idleTimeout", () => {
		it("answers 504 when nothing moves", async () => {
			await rule({ idleTimeout: "150ms" });
			const { status } = await caller.ask(url, {
				headers: { "x-hang": "all" },
			});
			expect(status).to.equal(504);
		});

		it("ends an answer that stopped halfway", async () => {
			await rule({ idleTimeout: "150ms" });
			let error: unknown;
			try {
				await caller.ask(url, { headers: { "x-half": "1" } });
			} catch (thrown) {
				error = thrown;
			}
			expect(error).to.have.property("code", "ECONNRESET");
		});
	});

	describe("retries", () => {
		it("tries as often as told, on the failures told", async () => {
			await rule({
				retries: {
					attempts: 4,
					on: ["gateway-error"],
					backoff: { base: "1ms", max: "5ms" },
				},
			});
			expect((await caller.ask(url, failing)).status).to.equal(503);
			expect(tries().reduce((a, b) => a + b)).to.equal(5);
		});

		it("does not try again on other failures", async () => {
			await rule({ retries: { attempts: 4, on: ["connect-failure"] } });
			expect((await caller.ask(url, failing)).status).to.equal(503);
			expect(tries().reduce((a, b) => a + b)).to.equal(1);
		});

		it("tries gateway errors again when it does not say on what, but not 500", async () => {
			await rule({ retries: { attempts: 1, backoff: { base: "1ms" } } });
			await caller.ask(url, failing);
			expect(tries().reduce((a, b) => a + b)).to.equal(2);
			await caller.ask(url, {
				headers: { "x-status-v1": "500", "x-status-v2": "500" },
			});
			expect(tries().reduce((a, b) => a + b)).to.equal(3);
		});

		it("goes to an endpoint that has not been tried", async () => {
			await rule({
				retries: {
					attempts: 1,
					on: ["5xx"],
					retryOtherHosts: true,
					backoff: { base: "1ms" },
				},
			});
			const tally = await caller.tally(60, url, {
				headers: { "x-status-v1": "503" },
			});
			// By chance alone one in four requests would meet the bad one twice.
			expect(tally).to.deep.equal({ "echo-v2": 60 });
			expect(tries()[0]).to.be.greaterThan(0);
		});

		it("gives each try its time", async () => {
			await rule({
				retries: {
					attempts: 3,
					perTryTimeout: "100ms",
					on: ["gateway-error"],
					retryOtherHosts: true,
					backoff: { base: "1ms" },
				},
			});
			const tally = await caller.tally(8, url, {
				headers: { "x-hang": "v1" },
			});
			expect(tally).to.deep.equal({ "echo-v2": 8 });
		});

		it("tries once with 0 attempts", async () => {
			await rule({ retries: { attempts: 0, on: ["5xx"] } });
			expect((await caller.ask(url, failing)).status).to.equal(503);
			expect(tries().reduce((a, b) => a + b)).to.equal(1);
		});

		for (const { budget, retried } of [
			{ budget: { percent: 0, minConcurrency: 0 }, retried: 0 },
			{ budget: { percent: 0, minConcurrency: 100 }, retried: 10 },
			// Twenty other requests are under way.
			{ budget: { percent: 100, minConcurrency: 0 }, retried: 10 },
		])
			it(`tries ${retried} of 10 again with a budget of ${JSON.stringify(budget)}`, async () => {
				await rule({
					route: [{ labels: { version: "v1" } }],
					retries: {
						attempts: 1,
						on: ["gateway-error"],
						budget,
						backoff: { base: "50ms", max: "50ms" },
					},
				});
				const hanging = Array.from({ length: 20 }, () =>
					caller.ask(`${url}hang`, { headers: { "x-hang": "all" } }),
				);
				const arrived = (path: string): number =>
					echoes[0]?.seen.filter((one) => one.url === path).length ?? 0;
				await eventually(() => expect(arrived("/hang")).to.equal(20));
				await inParallel(10, 10, async () => {
					await caller.ask(`${url}fail`, failing);
				});
				expect(arrived("/fail")).to.equal(10 + retried);
				for (const response of held) response.end();
				await Promise.all(hanging);
			});

		it("without a rule, a connection that cannot be made is tried on another endpoint", async () => {
			await mesh.rules();
			const [port = 0] = await freePorts(1);
			const tally = await withEndpoint(port, () => caller.tally(200, url));
			expect(tally).to.have.all.keys("echo-v1", "echo-v2");
		});

		it("so is one that the endpoint's sidecar cannot make to its application, whatever the method", async () => {
			const [port = 0, application = 0] = await freePorts(2);
			const sidecar = await mesh.envoy("dead", [
				...["--proxy", "default/echo-dead"],
				...["--inbound", `127.0.0.1:${port}=127.0.0.1:${application}=http`],
			]);
			const post = { method: "POST", body: "once" };
			await mesh.rules();
			await withEndpoint(port, async () => {
				const tally = await caller.tally(100, url, post);
				expect(tally).to.have.all.keys("echo-v1", "echo-v2");
				expect(tries().reduce((a, b) => a + b)).to.equal(100);
				const { body } = await send(
					`http://${sidecar.admin}/stats?filter=inbound.*upstream_cx_connect_fail$`,
				);
				expect(body).to.match(/: [1-9]/);
				// Who wants no retries sees it.
				await rule({ retries: { attempts: 0 } });
				await eventually(async () => {
					const { status, headers } = await caller.ask(url, post);
					expect(status).to.equal(503);
					expect(headers).to.include({ "x-lateen-not-delivered": "true" });
				});
			});
		});
	});

	describe("fault", () => {
		it("delays all requests", async () => {
			await rule({ fault: { delay: { percent: 100, duration: "200ms" } } });
			const { from, tookMs } = await caller.ask(url);
			expect(from).to.match(/^echo/);
			expect(tookMs).to.be.at.least(150);
		});

		it("answers all requests with an error", async () => {
			await rule({ fault: { abort: { percent: 100, httpStatus: 418 } } });
			expect(await caller.tally(50, url)).to.deep.equal({ 418: 50 });
			expect(tries()).to.deep.equal([0, 0]);
		});

		it("answers a share of the requests with an error", async () => {
			await rule({ fault: { abort: { percent: 12.5, httpStatus: 500 } } });
			const tally = await caller.tally(2_000, url);
			expectShare(tally[500] ?? 0, 2_000, 0.125);
		});

		it("does nothing at 0 percent", async () => {
			await rule({ fault: { abort: { percent: 0, httpStatus: 500 } } });
			expect((await caller.tally(100, url))[500]).to.equal(undefined);
		});

		it("prefers the fault of the entry that matched", async () => {
			await rule({
				match: [
					{
						path: "/own",
						fault: { abort: { httpStatus: 501 } },
					},
					{ path: "/rule" },
				],
				fault: { abort: { httpStatus: 502 } },
			});
			expect((await caller.ask("http://echo/own")).status).to.equal(501);
			expect((await caller.ask("http://echo/rule")).status).to.equal(502);
			expect((await caller.ask("http://echo/else")).status).to.equal(200);
		});
	});

	describe("mirror", () => {
		it("sends a copy of every request, and answers as without", async () => {
			await rule({
				route: [{ labels: { version: "v1" } }],
				mirror: [
					{ destination: { name: "copies" }, percent: 100 },
					{ labels: { version: "v2" } },
				],
			});
			expect(await caller.tally(50, `${url}x?y=1`)).to.deep.equal({
				"echo-v1": 50,
			});
			await eventually(() => {
				expect(copies.seen).to.have.length(50);
				// The mark of readiness is answered by the proxy, so every request here is a copy.
				expect(echoes[1]?.seen).to.have.length(50);
			});
			expect(copies.seen[0]).to.include({ method: "GET", url: "/x?y=1" });
		});

		it("sends copies of a share of the requests", async () => {
			await rule({
				mirror: [{ destination: { name: "copies" }, percent: 30 }],
			});
			await caller.tally(2_000, url);
			// Copies are under way a little longer than answers: one sent last comes last.
			await rule({ mirror: [{ destination: { name: "copies" } }] });
			await caller.ask(`${url}last`);
			await eventually(() =>
				expect(copies.seen.at(-1)).to.include({ url: "/last" }),
			);
			expectShare(copies.seen.length - 1, 2_000, 0.3);
		});

		it("sends no copy at 0 percent", async () => {
			await rule({
				mirror: [{ destination: { name: "copies" }, percent: 0 }],
			});
			await caller.tally(100, url);
			await rule({ mirror: [{ destination: { name: "copies" } }] });
			await caller.ask(`${url}last`);
			await eventually(() => expect(copies.seen).not.to.have.length(0));
			expect(copies.seen.map(({ url }) => url)).to.deep.equal(["/last"]);
		});

		it("answers as without when copies cannot be sent", async () => {
			mesh.removeWorkload("copies");
			await rule({ mirror: [{ destination: { name: "copies" } }] });
			const tally = await caller.tally(50, url);
			expect(Object.keys(tally)).to.satisfy((names: string[]) =>
				names.every((name) => name.startsWith("echo-")),
			);
		});
	});
});
