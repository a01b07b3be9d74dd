import { expect } from "chai";
import { isCancelled } from "../../src/lib/is-cancelled.ts";
import type { DeltaCall } from "../testkit/ads-client.ts";
import { eventually } from "../testkit/eventually.ts";
import { reviews, rule } from "./manifests.ts";
import { Serving } from "./serving.ts";
import { withFolder } from "./temporary-folder.ts";

function timeout(value: string): string {
	return rule("reviews", `{destination: {name: reviews}, timeout: ${value}}`);
}

const host = "outbound/reviews.default.svc.cluster.local:9080";

/** Acknowledges everything until it is to refuse something, and goes on. */
async function answer(
	call: DeltaCall,
	refuses: () => string | undefined,
): Promise<void> {
	try {
		for (;;) await call.told(refuses);
	} catch (error) {
		if (!(error instanceof Error) || isCancelled(error)) throw error;
	}
}

describe("what a running server says of its proxies", function () {
	this.timeout(60_000);
	let server: Serving;
	let refusal: string | undefined;

	before(async () => {
		server = await Serving.start({
			"services.yaml": reviews,
			"rules.yaml": timeout("1s"),
		});
		void answer(await server.proxy("default/client"), () => refusal);
		const live = await server.lateen("wait", "rr/reviews", "--generation=1");
		expect(live.code, live.err).to.equal(0);
	});

	after(() => server[Symbol.asyncDispose]());

	describe("lateen why", () => {
		it("names the objects behind a resource with file, line and generation", async () => {
			const { code, out, err } = await server.lateen("why", "client", host);
			expect(code, err).to.equal(0);
			expect(out).to.include(`virtual host ${host} of default/client`);
			expect(out).to.match(
				/RouteRule default\/reviews +\S*rules\.yaml:1 +generation 1\n/,
			);
			expect(out).to.match(/Service default\/reviews +\S*services\.yaml:1\n/);
		});

		it("finds resources by a part of their names, also as JSON", async () => {
			const { code, out } = await server.lateen(
				...["why", "default/client", "reviews", "-o", "json"],
			);
			expect(code).to.equal(0);
			const { resources } = JSON.parse(out);
			expect(
				resources.map(({ type }: { type: string }) => type),
			).to.include.members(["virtualhosts", "clusters", "endpoints"]);
			expect(resources[0].objects[0]).to.include({
				kind: "Service",
				name: "reviews",
				line: 1,
			});
		});

		it("lists what an object became", async () => {
			const { code, out } = await server.lateen("why", "rr/reviews");
			expect(code).to.equal(0);
			expect(out).to.match(
				/^RouteRule default\/reviews, \S+:1, generation 1$/m,
			);
			expect(out).to.include("default/client");
			expect(out).to.include(host);
			expect(out).not.to.include("clusters");
		});

		it("exits 1 when there is no such resource, proxy or object", async () => {
			const all = await Promise.all([
				server.lateen("why", "client", "nothing"),
				server.lateen("why", "nobody", host),
				server.lateen("why", "rr/nothing"),
			]);
			expect(all.map(({ code }) => code)).to.deep.equal([1, 1, 1]);
			expect(all[0]?.err).to.include('no resource with "nothing"');
			expect(all[1]?.err).to.include("`lateen proxies` lists");
			expect(all[2]?.err).to.include("There is no RouteRule default/nothing");
		});
	});

	describe("lateen explain", () => {
		it("walks a request through what the connected proxy has", async () => {
			const { code, out, err } = await server.lateen(
				...["explain", "http://reviews:9080/x", "--from", "client"],
			);
			expect(code, err).to.equal(0);
			expect(out).to.include("RouteRule default/reviews (");
			expect(out).to.include("timeout 1 s");
			expect(out).to.match(/10\.1\.0\.1:9080 +healthy/);
		});

		it("exits 1 and says what to do when the proxy is not connected", async () => {
			const { code, err } = await server.lateen(
				...["explain", "http://reviews:9080/x", "--from", "nobody"],
			);
			expect(code).to.equal(1);
			expect(err).to.include("name them after the URL");
		});
	});

	describe("lateen diff", () => {
		it("exits 0 when the files are what the server has", () =>
			withFolder(
				{ "a.yaml": reviews, "b.yaml": timeout("1s") },
				async (folder) => {
					const { code, out, err } = await server.lateen("diff", folder);
					expect(code, err + out).to.equal(0);
					expect(out).to.equal("1 proxy: no change\n");
				},
			));

		it("shows what would change, and exits 1", () =>
			withFolder(
				{ "a.yaml": reviews, "b.yaml": timeout("9s") },
				async (folder) => {
					const { code, out } = await server.lateen("diff", folder);
					expect(code).to.equal(1);
					expect(out).to.include("default/client: 1 virtual host changed\n");
					expect(out).to.match(/^-.*timeout: 1s$/m);
					expect(out).to.match(/^\+.*timeout: 9s$/m);
					expect(out).to.include("from Service default/reviews, RouteRule");
				},
			));

		it("exits with more than 1 when it cannot compare", () =>
			withFolder({ "a.yaml": reviews }, async (folder) => {
				const unknown = await server.lateen(
					...["diff", folder, "--proxy", "default/nobody"],
				);
				expect(unknown.code).to.equal(3);
				expect(unknown.err).to.include("`lateen proxies` lists");
			}));
	});

	describe("lateen proxy NAME diff", () => {
		it("says that all is acknowledged, and exits 0", async () => {
			const { code, out } = await server.lateen(
				...["proxy", "default/client", "diff"],
			);
			expect(code, out).to.equal(0);
			expect(out).to.match(/has acknowledged all \d+ resources/);
		});

		it("shows what a silent proxy has not acknowledged as a unified diff, and exits 1", async () => {
			let isSilent = false;
			const silent = await server.proxy("default/silent");
			void answer(silent, () => {
				if (isSilent) throw new Error("says nothing");
				return undefined;
			}).catch(() => undefined);
			await eventually(async () => {
				const ran = await server.lateen("proxy", "default/silent", "diff");
				expect(ran.code, ran.out + ran.err).to.equal(0);
			}, 20_000);
			isSilent = true;
			await server.write("rules.yaml", timeout("3s"));
			const { code, out } = await eventually(async () => {
				const ran = await server.lateen("proxy", "default/silent", "diff");
				expect(ran.out).to.include("timeout: 3s");
				return ran;
			}, 20_000);
			const explained = await server.lateen(
				...["explain", "http://reviews:9080/", "--from", "silent"],
			);
			expect(explained.out).to.include("has not acknowledged 1 of its");
			expect(code).to.equal(1);
			expect(out).to.include(
				"default/silent: 1 virtual host changed, not acknowledged\n",
			);
			expect(out).to.match(/^-.*timeout: 1s$/m);
			expect(out).to.match(/^\+.*timeout: 3s$/m);
			silent.close();
		});

		it("shows what the proxy refused, with its words and the object, and exits 1", async () => {
			refusal = "no such timeout";
			await server.write("rules.yaml", timeout("5s"));
			// Once the refusal is known, the proxy is to have the last good form again.
			const { code, out } = await eventually(async () => {
				const ran = await server.lateen("proxy", "default/client", "diff");
				expect(ran.out).to.include("before is what it is to have");
				return ran;
			}, 20_000);
			expect(code, out).to.equal(1);
			expect(out).to.include("default/client: 1 refused\n");
			expect(out).to.include(`# virtual host ${host}, from `);
			expect(out).to.include("RouteRule default/reviews");
			expect(out).to.include("rejected: no such timeout");
		});
	});
});
