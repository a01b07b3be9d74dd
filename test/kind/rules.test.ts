// Rules that are applied with kubectl while pods run.

import { expect } from "chai";
import type { KindNamespace } from "../testkit/kind-namespace.ts";
import { ruleObject } from "../testkit/kind-objects.ts";
import { KindWorld } from "../testkit/kind-world.ts";

describe("rules for pods", () => {
	let world: KindWorld;
	let meshed: KindNamespace;

	before(async () => {
		world = await KindWorld.start();
		({ meshed } = world);
	});
	after(async () => {
		await world?.[Symbol.asyncDispose]();
	});
	afterEach(async () => {
		await meshed?.kubectl("delete", "routerule", "--all");
	});

	/** The versions that answer twenty requests. */
	const versions = async (header = ""): Promise<readonly string[]> => {
		const answers = await meshed.run(
			...["client", "ask", "http://web/", header, "20"],
		);
		const all = answers.matchAll(/"version":"(\w+)"/g);
		return [...new Set([...all].map(([, one = ""]) => one))].sort();
	};
	const program = async (spec: object): Promise<void> => {
		await meshed.apply(
			ruleObject("web", { destination: { name: "web" }, ...spec }),
		);
		await meshed.kubectl(
			...["wait", "--for=condition=Programmed", "routerule/web"],
			"--timeout=60s",
		);
	};

	it("hold as soon as they are programmed", async () => {
		for (const version of ["v2", "v1"]) {
			await program({ route: [{ labels: { version } }] });
			expect(await versions()).to.deep.equal([version]);
		}
	});

	it("look at headers", async () => {
		await program({
			match: [{ headers: { "end-user": "jason" } }],
			route: [{ labels: { version: "v2" } }],
		});
		expect(await versions("end-user=jason")).to.deep.equal(["v2"]);
		expect(await versions()).to.deep.equal(["v1", "v2"]);
	});

	it("are explained through the API server", async () => {
		await program({ timeout: "7s" });
		const of = ["-n", meshed.name];
		const proxies = await world.lateen("proxies", ...of);
		expect(proxies).to.match(/client/);
		expect(proxies.match(/web-v1/g)).to.have.lengthOf(2);
		const why = await world.lateen("why", "routerule/web", ...of);
		expect(why).to.contain("client");
		const explained = await world.lateen(
			...["explain", "http://web/", "--from", `${meshed.name}/client`, ...of],
		);
		expect(explained).to.contain(`${meshed.name}/web`);
	});
});
