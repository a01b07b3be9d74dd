import { expect } from "chai";
import { type Caller, LiveMesh } from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";
import type { Ask } from "../../testkit/send.ts";

const endpoints = ["echo-1", "echo-2", "echo-3", "echo-4"];

describe("affinity", () => {
	let mesh: LiveMesh;
	let caller: Caller;

	before(async () => {
		mesh = await LiveMesh.start(serviceYaml("echo"));
		for (const name of endpoints)
			await mesh.application({ name, service: "echo" });
		caller = await mesh.caller();
	});

	after(() => mesh[Symbol.asyncDispose]());

	function rule(affinity: object): Promise<void> {
		return mesh.rules(
			ruleYaml("sticky", { destination: { name: "echo" }, affinity }),
		);
	}

	/**
	 * Expects that requests with one key keep to one endpoint, and that 24 keys
	 * do not all share one (by chance: once in 4^23 times).
	 */
	async function expectSticky(
		request: (key: number) => readonly [url: string, ask: Ask],
	): Promise<void> {
		const used = new Set<string>();
		for (let key = 1; key <= 24; key++) {
			const tally = await caller.tally(8, ...request(key));
			expect(Object.keys(tally), `key ${key}`).to.have.length(1);
			used.add(Object.keys(tally)[0] ?? "");
		}
		expect(used).to.have.property("size").greaterThan(1);
	}

	it("by a header keeps its values together", async () => {
		await rule({ header: "X-User" });
		await expectSticky((key) => [
			"http://echo/",
			{ headers: { "x-user": `user-${key}` } },
		]);
	});

	it("by a header spreads requests without it", async () => {
		await rule({ header: "x-user" });
		const tally = await caller.tally(200, "http://echo/");
		expect(tally).to.have.all.keys(...endpoints);
	});

	it("by a query parameter keeps its values together", async () => {
		await rule({ query: "id" });
		await expectSticky((key) => [`http://echo/?a=b&id=${key}`, {}]);
	});

	it("by the caller's address keeps an address together", async () => {
		await rule({ sourceIP: true });
		await expectSticky((key) => [
			"http://echo/",
			{ localAddress: `127.0.0.${key + 1}` },
		]);
	});

	it("by a cookie that the application makes keeps its values together", async () => {
		await rule({ cookie: { name: "sid" } });
		await expectSticky((key) => [
			"http://echo/",
			{ headers: { cookie: `a=b; sid=${key}` } },
		]);
		const { headers } = await caller.ask("http://echo/");
		expect(headers).not.to.have.property("set-cookie");
	});

	it("by a cookie with a lifetime makes it for callers that have none", async () => {
		await rule({ cookie: { name: "sid", ttl: "30m", path: "/shop" } });
		for (let i = 0; i < 8; i++) {
			const first = await caller.ask("http://echo/");
			const [made = ""] = first.headers["set-cookie"] ?? [];
			expect(made).to.match(/^sid="?[^;]+"?; Max-Age=1800; Path=\/shop/);
			const cookie = made.split(";")[0] ?? "";
			expect(
				await caller.tally(10, "http://echo/", { headers: { cookie } }),
			).to.deep.equal({ [first.from]: 10 });
		}
	});

	it("moves few keys when an endpoint comes", async () => {
		await rule({ header: "x-user" });
		const places = async (): Promise<(string | number)[]> => {
			const all: (string | number)[] = [];
			for (let key = 0; key < 60; key++)
				all.push(
					(
						await caller.ask("http://echo/", {
							headers: { "x-user": `user-${key}` },
						})
					).from,
				);
			return all;
		};
		const before = await places();
		await mesh.application({ name: "echo-5", service: "echo" });
		let after = before;
		while (!after.includes("echo-5")) after = await places();
		const moved = after.filter((place, i) => place !== before[i]);
		// A fifth must move; without consistent hashing four fifths would.
		expect(moved.length).to.be.below(30);
	});
});
