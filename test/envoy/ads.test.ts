import type { Server } from "node:http";
import { expect } from "chai";
import { EnvoyUnderAds } from "../testkit/envoy-under-ads.ts";
import { backend, get, portOf, until } from "../testkit/small-http.ts";
import {
	cluster,
	endpoints,
	listener,
	route,
	virtualHost,
	wholeRoute,
} from "../testkit/small-resources.ts";

/** Two servers for Envoy to call, and one Envoy for all tests of a block. */
function withEnvoy(apiType: "DELTA_GRPC" | "GRPC") {
	const parts = {
		envoy: new EnvoyUnderAds(),
		one: 0,
		two: 0,
	};
	const servers: Server[] = [];
	before(async () => {
		for (const word of ["one", "two"]) servers.push(await backend(word));
		const [one, two] = servers.map(portOf);
		Object.assign(parts, { one, two });
		parts.envoy.resources.change([
			cluster("one"),
			endpoints("one", parts.one),
			listener("l", "r"),
			...(apiType === "GRPC"
				? [wholeRoute("r", "a.test", "one")]
				: [route("r"), virtualHost("r/a", "a.test", "one")]),
		]);
		await parts.envoy.start(apiType);
	});
	after(async () => {
		await parts.envoy[Symbol.asyncDispose]();
		for (const server of servers) server.close();
	});
	afterEach(function () {
		if (this.currentTest?.state === "failed") {
			console.error(parts.envoy.responses, parts.envoy.log.slice(-2000));
		}
		parts.envoy.responses.length = 0;
	});
	return parts;
}

describe("aggregated discovery service with a real Envoy, delta", function () {
	this.timeout(30_000);
	const parts = withEnvoy("DELTA_GRPC");
	const { envoy } = parts;

	it("configures it from nothing, in one response per type besides the pushed ones", async () => {
		await envoy.live("virtualHost", "r/a");
		const port = await envoy.listenerPort("l");
		expect(await get(port, "/", "a.test")).to.deep.equal({
			status: 200,
			body: "one",
		});
		expect(envoy.responses).to.deep.equal([
			"cluster 1",
			"endpoint 1",
			"listener 1",
			"route 1",
			"virtualHost 1",
		]);
	});

	it("moves a virtual host to a new cluster, endpoints first", async () => {
		envoy.resources.change([
			cluster("two"),
			endpoints("two", parts.two),
			virtualHost("r/a", "a.test", "two"),
		]);
		await envoy.live("virtualHost", "r/a");
		const port = await envoy.listenerPort("l");
		expect((await get(port, "/", "a.test")).body).to.equal("two");
		// Envoy asks for the endpoints as well, which is answered before or after the virtual host.
		expect([...new Set(envoy.responses)]).to.deep.equal([
			"cluster 1",
			"endpoint 1",
			"virtualHost 1",
		]);
	});

	it("does not let an updated cluster wait for endpoints that have not changed", async () => {
		const startedMs = performance.now();
		envoy.resources.change([cluster("two", 2)]);
		await envoy.live("cluster", "two");
		// Without the pushed endpoints Envoy warms the cluster for as long as it may fetch: here for ever.
		expect(performance.now() - startedMs).to.be.lessThan(5000);
		expect(envoy.responses).to.deep.equal(["cluster 1", "endpoint 1"]);
	});

	it("brings a second route configuration to life, for which Envoy asks no virtual hosts", async () => {
		envoy.resources.change([
			listener("m", "s"),
			route("s"),
			virtualHost("s/b", "b.test", "one"),
		]);
		await envoy.live("listener", "m");
		const port = await envoy.listenerPort("m");
		expect((await get(port, "/", "b.test")).body).to.equal("one");
	});

	it("brings a route configuration without virtual hosts to life", async () => {
		envoy.resources.change([listener("n", "t"), route("t")]);
		await envoy.live("listener", "n");
		const port = await envoy.listenerPort("n");
		expect((await get(port, "/", "b.test")).status).to.equal(404);
	});

	it("removes a cluster after the virtual host that pointed there", async () => {
		envoy.resources.change([
			virtualHost("s/b", "b.test", "two"),
			{ type: "cluster", remove: "one" },
			{ type: "endpoint", remove: "one" },
		]);
		await until(async () => {
			const clusters = await envoy.admin("/clusters");
			return /^one::/m.test(clusters) ? undefined : true;
		});
		expect(envoy.responses.slice(0, 2)).to.deep.equal([
			"virtualHost 1",
			"cluster 1",
		]);
		const port = await envoy.listenerPort("m");
		expect((await get(port, "/", "b.test")).body).to.equal("two");
	});

	it("reports what Envoy refuses, in its words, and goes on with other things", async () => {
		const bad = virtualHost("r/bad", "a.test", "two");
		envoy.resources.change([bad]);
		const event = await until(async () =>
			envoy.events.find(({ op }) => op === "rejected"),
		);
		expect(event.op === "rejected" && event.rejection).to.deep.include({
			type: "virtualHost",
			resources: ["put" in bad ? bad.put : undefined],
		});
		expect(event.op === "rejected" && event.rejection.message).to.include(
			"a.test",
		);
		envoy.resources.change([{ type: "virtualHost", remove: "r/bad" }]);
		envoy.resources.change([cluster("two", 3)]);
		await envoy.live("cluster", "two");
	});

	it("resumes on a new server without being sent anything again", async () => {
		const port = await envoy.listenerPort("l");
		expect((await get(port, "/", "a.test")).body).to.equal("two");
		await envoy.replaceServer();
		await envoy.live("virtualHost", "s/b");
		// That the third route configuration has no virtual hosts is said on every stream.
		await until(
			async () => envoy.responses.includes("virtualHost 1") || undefined,
		);
		envoy.resources.change([virtualHost("r/a", "a2.test", "two")]);
		await envoy.live("virtualHost", "r/a");
		expect((await get(port, "/", "a2.test")).body).to.equal("two");
		expect(
			envoy.responses.filter((text) => !text.endsWith(" 0")),
		).to.deep.equal(["virtualHost 1", "virtualHost 1"]);
	});
});

describe("aggregated discovery service with a real Envoy, state of the world", function () {
	this.timeout(30_000);
	const parts = withEnvoy("GRPC");
	const { envoy } = parts;

	it("configures it from nothing", async () => {
		await envoy.live("route", "r");
		const port = await envoy.listenerPort("l");
		expect(await get(port, "/", "a.test")).to.deep.equal({
			status: 200,
			body: "one",
		});
		expect(envoy.responses).to.deep.equal([
			"cluster 1",
			"endpoint 1",
			"listener 1",
			"route 1",
		]);
	});

	it("moves a route to a new cluster without a gap, and then removes the old one", async () => {
		const port = await envoy.listenerPort("l");
		envoy.resources.change([
			cluster("two"),
			endpoints("two", parts.two),
			wholeRoute("r", "a.test", "two"),
			{ type: "cluster", remove: "one" },
			{ type: "endpoint", remove: "one" },
		]);
		for (let done = false; !done; ) {
			const { status, body } = await get(port, "/", "a.test");
			expect(status).to.equal(200);
			done = body === "two";
		}
		await until(async () => {
			const clusters = await envoy.admin("/clusters");
			return /^one::/m.test(clusters) ? undefined : true;
		});
		expect(envoy.responses).to.deep.equal([
			"cluster 2",
			"endpoint 1",
			"route 1",
			"cluster 2",
		]);
	});

	it("does not let an updated cluster wait for endpoints that have not changed", async () => {
		const startedMs = performance.now();
		envoy.resources.change([cluster("two", 2)]);
		await envoy.live("cluster", "two");
		expect(performance.now() - startedMs).to.be.lessThan(5000);
	});

	it("resumes on a new server", async () => {
		await envoy.replaceServer();
		await envoy.live("route", "r");
		envoy.resources.change([wholeRoute("r", "a2.test", "two")]);
		await envoy.live("route", "r");
		const port = await envoy.listenerPort("l");
		expect((await get(port, "/", "a2.test")).body).to.equal("two");
	});
});
