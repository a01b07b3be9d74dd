import { expect } from "chai";
import { parse } from "yaml";
import { reviews, rule } from "./manifests.ts";
import { runLateen } from "./run-lateen.ts";

const jason = rule(
	"jason",
	"{destination: {name: reviews}, precedence: 2, match: [{headers: {end-user: jason}}], timeout: 2s}",
);
const moved = rule(
	"moved",
	"{destination: {name: reviews}, precedence: 1, match: [{path: {prefix: /old}}], redirect: {code: 302, path: /new}}",
);
const missing = rule(
	"missing",
	"{destination: {name: reviews}, match: [{path: /v9}], route: [{labels: {version: v9}}]}",
);
const input = [reviews, jason, moved, missing].join("---\n");

function explain(url: string, ...more: readonly string[]) {
	return runLateen(["explain", url, "--from", "client", "-", ...more], {
		input,
	});
}

describe("lateen explain", () => {
	it("tells which rules were tried, why they did not match, and where the request goes", async () => {
		const { code, out } = await explain("http://reviews:9080/old/1");
		expect(code).to.equal(0);
		expect(out).to.match(
			/✗ RouteRule default\/jason \(<stdin>:\d+\), match\[0\]\n +✗ header end-user is "jason"; there is none\n/,
		);
		expect(out).to.match(
			/✓ RouteRule default\/moved \(<stdin>:\d+\), match\[0\]\n/,
		);
		expect(out).to.include("not tried: default/missing/0, default");
		expect(out).to.include("302 from the proxy: go to http://reviews:9080/new");
	});

	it("takes method and headers into account", async () => {
		const { code, out } = await explain(
			"http://reviews.default:9080/?a=1",
			...["-X", "post", "-H", "End-User: jason"],
		);
		expect(code).to.equal(0);
		expect(out).to.include("POST http://reviews.default:9080/?a=1 from");
		expect(out).to.match(/✓ RouteRule default\/jason/);
		expect(out).to.include("timeout 2 s");
		expect(out).to.match(/10\.1\.0\.1:9080 +healthy/);
		expect(out).to.include(
			"Arrives as      POST /?a=1, host reviews.default:9080",
		);
	});

	it("says the same for programs", async () => {
		const [json, yaml] = await Promise.all([
			explain("http://reviews:9080/x", "-o", "json"),
			explain("http://reviews:9080/x", "-o", "yaml"),
		]);
		const value = JSON.parse(json.out);
		expect(parse(yaml.out)).to.deep.equal(value);
		expect(value).to.have.nested.property("outcome.kind", "forward");
		expect(value).to.have.nested.property("tried[3].name", "default");
		expect(value.objects).to.deep.include({
			kind: "RouteRule",
			namespace: "default",
			name: "jason",
			file: "<stdin>",
			line: 18,
		});
	});

	it("exits 1 when nobody can answer", async () => {
		const empty = await explain("http://reviews:9080/v9");
		expect(empty.code).to.equal(1);
		expect(empty.out).to.include("version=v9\n                ✗ no endpoint");
		expect(empty.out).to.include("the proxy says 503");
	});

	it("finds the listener of captured traffic", async () => {
		const { code, out } = await explain("http://reviews:9080/", "--captured");
		expect(code).to.equal(0);
		expect(out).to.include("0.0.0.0_9080");
		expect(out).to.include("http.9080/reviews.default.svc.cluster.local:9080");
	});

	it("walks through a gateway, which opens nothing that no rule opens", async () => {
		const { code, out } = await runLateen(
			["explain", "http://localhost:8080/", "--gateway", "edge", "-"],
			{ input },
		);
		expect(code).to.equal(1);
		expect(out).to.include("No RouteRule of gateway default/edge takes");
	});

	const usage = [
		{ name: "no URL", words: ["--from", "x"], says: "Name a URL" },
		{ name: "what is no URL", words: ["reviews"], says: "is no URL" },
		{
			name: "neither workload nor gateway",
			words: ["http://reviews/"],
			says: "--from WORKLOAD",
		},
		{
			name: "a header without a colon",
			words: ["http://reviews/", "--from", "x", "-H", "bad"],
			says: "'NAME: VALUE'",
		},
	];
	for (const { name, words, says } of usage)
		it(`exits 2 for ${name}`, async () => {
			const { code, err } = await runLateen(["explain", ...words]);
			expect(code).to.equal(2);
			expect(err).to.include(says);
		});
});
