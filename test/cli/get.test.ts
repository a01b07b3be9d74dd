import { expect } from "chai";
import { parse } from "yaml";
import { eventually } from "../testkit/eventually.ts";
import { reviews, rule } from "./manifests.ts";
import { runLateen } from "./run-lateen.ts";
import { Serving } from "./serving.ts";

const good = rule("good", "{destination: {name: reviews}, timeout: 3s}");
const bad = rule("bad", "{destination: {name: reviews}, timeout: 3}");
const lost = rule("lost", "{destination: {name: nowhere}}");
const shop = rule("far", "{destination: {name: nowhere}}").replace(
	"namespace: default",
	"namespace: shop",
);
const rules = [good, bad, lost, shop].join("---\n");

describe("lateen get", () => {
	let server: Serving;

	before(async function () {
		this.timeout(30_000);
		server = await Serving.start({
			"services.yaml": reviews,
			"rules.yaml": rules,
		});
		await eventually(async () => {
			const { out } = await server.lateen("get", "rr", "-A");
			expect(out).to.include("far");
		});
	});

	after(() => server[Symbol.asyncDispose]());

	it("shows in one table what is live and what is not, and why below it", async () => {
		const { code, out, err } = await server.lateen("get", "routerules");
		expect(code).to.equal(0);
		expect(out).to.match(
			/^NAME +DESTINATION +READY +PROGRAMMED +REASON +AGE\n/,
		);
		expect(out).to.match(/^bad +False +0\/0 +Invalid +\d+s$/m);
		expect(out).to.match(/^good +reviews +True +0\/0 +Ready +\d+s$/m);
		expect(out).to.match(/^lost +nowhere +False +0\/0 +DestinationNotFound /m);
		expect(out).not.to.include("far");
		expect(err).to.match(
			/bad \(.*rules\.yaml:6\): Accepted: Generation 1 is refused: spec\.timeout/,
		);
		expect(err).to.include("There is no Service default/nowhere");
		expect(err).not.to.include("good (");
	});

	for (const word of ["rr", "RouteRule", "routerule"])
		it(`knows the kind as ${word}, too, and one object by its name`, async () => {
			const { out } = await server.lateen("get", word, "good");
			expect(out).to.match(/^NAME.*\ngood .*\n$/);
		});

	it("shows all namespaces and all kinds", async () => {
		const { out } = await server.lateen("get", "all", "-A", "-o", "wide");
		expect(out).to.match(/^NAMESPACE +NAME .*MESSAGE\n/);
		expect(out).to.match(
			/^shop +routerule\/far .*rules\.yaml:16 +ResolvedRefs: /m,
		);
	});

	it("gives programs the whole status, as JSON and as YAML", async () => {
		const [json, yaml, list] = await Promise.all([
			server.lateen("get", "rr/shop/far", "-o", "json"),
			server.lateen("get", "rr", "far", "-n", "shop", "--output=yaml"),
			server.lateen("get", "rr", "-n", "shop", "-o", "json"),
		]);
		const one: unknown = JSON.parse(json.out);
		expect(one).to.have.nested.property(
			"status.conditions[1].reason",
			"DestinationNotFound",
		);
		expect(parse(yaml.out)).to.deep.equal(one);
		expect(JSON.parse(list.out)).to.deep.equal({ objects: [one] });
	});

	it("answers 1 when an object does not exist, and says how to find others", async () => {
		const { code, out, err } = await server.lateen("get", "rr", "none");
		expect(code).to.equal(1);
		expect(out).to.equal("");
		expect(err).to.include(
			"There is no RouteRule default/none. `lateen get routerules -A` lists",
		);
	});

	it("says where it has looked when it finds nothing", async () => {
		const { code, err } = await server.lateen("get", "extsvc", "-n", "x");
		expect(code).to.equal(0);
		expect(err).to.include("no ExternalService in the namespace x");
		expect(err).to.include("-A");
	});

	it("lists what happened to objects", async () => {
		const { out } = await server.lateen("get", "events");
		expect(out).to.match(
			/Warning +Invalid +RouteRule\/default\/bad +1 +Generation 1 is refused/,
		);
	});

	it("follows changes until it is ended", async function () {
		this.timeout(20_000);
		await using watch = server.start("get", "rr", "-n", "shop", "--watch");
		expect(await watch.line()).to.match(/^NAME/);
		expect(await watch.line()).to.match(/^far .*DestinationNotFound/);
		await server.write(
			"more.yaml",
			rule("near", "{destination: {name: x}}").replace(
				"namespace: default",
				"namespace: shop",
			),
		);
		expect(await watch.line()).to.match(/^near .*DestinationNotFound/);
		await server.write("more.yaml", "");
		expect(await watch.line()).to.match(/^near .*Deleted/);
	});

	it("goes on past a restart of the server, and tells only what is different then", async function () {
		this.timeout(30_000);
		await using watched = await Serving.start({
			"services.yaml": reviews,
			"rules.yaml": rules,
		});
		await eventually(async () => {
			const { out } = await watched.lateen("get", "rr", "-A");
			expect(out).to.include("far");
		});
		await using watch = watched.start("get", "rr", "-A", "--watch");
		expect(await watch.line()).to.match(/^NAMESPACE/);
		for (const name of ["bad", "good", "lost", "far"])
			expect(await watch.line()).to.include(` ${name} `);
		await watched.kill();
		await watched.write("rules.yaml", [good, bad, lost].join("---\n"));
		await watched.write(
			"more.yaml",
			rule("new", "{destination: {name: nowhere}}"),
		);
		await watched.run();
		const told = [await watch.line(), await watch.line()].sort();
		expect(told[0]).to.match(/^default +new .*DestinationNotFound/);
		expect(told[1]).to.match(/^shop +far .*Deleted/);
		await watched.restart();
		await watched.write("more.yaml", "");
		expect(await watch.line()).to.match(/^default +new .*Deleted/);
	});

	const usageErrors = [
		{ name: "no kind", words: ["get"], says: "Name a kind: routerules" },
		{
			name: "an unknown kind",
			words: ["get", "routerul"],
			says: "Did you mean routerule",
		},
		{
			name: "too many words",
			words: ["get", "rr", "a", "b"],
			says: 'What is "b"?',
		},
		{
			name: "a namespace for a kind that has none",
			words: ["get", "mesh/a/b"],
			says: "mesh/NAME",
		},
	];
	for (const { name, words, says } of usageErrors)
		it(`refuses ${name} with exit code 2`, async () => {
			const { code, err } = await runLateen(words);
			expect(code).to.equal(2);
			expect(err).to.include(says);
		});
});
