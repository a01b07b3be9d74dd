import { expect } from "chai";
import { isCancelled } from "../../src/lib/is-cancelled.ts";
import type { DeltaCall } from "../testkit/ads-client.ts";
import { reviews, rule } from "./manifests.ts";
import { runLateen } from "./run-lateen.ts";
import { Serving } from "./serving.ts";

function timeout(value: string): string {
	return rule("reviews", `{destination: {name: reviews}, timeout: ${value}}`);
}

/** Answers everything until the stream ends: with a refusal while there are words for it. */
async function answer(
	call: DeltaCall,
	refuses: () => string | undefined = () => undefined,
): Promise<void> {
	try {
		for (;;) await call.told(refuses);
	} catch (error) {
		if (!(error instanceof Error) || isCancelled(error)) throw error;
	}
}

describe("lateen wait", function () {
	this.timeout(30_000);
	let server: Serving;

	beforeEach(async () => {
		server = await Serving.start({
			"services.yaml": reviews,
			"rules.yaml": timeout("1s"),
		});
	});

	afterEach(() => server[Symbol.asyncDispose]());

	it("answers 0 when every proxy has the change, with the generation that is live", async () => {
		void answer(await server.proxy("default/client"));
		await server.counts("rr/reviews", 1);
		const first = await server.lateen("wait", "rr/reviews");
		expect(first.code, first.err).to.equal(0);
		await server.write("rules.yaml", timeout("2s"));
		const { code, out } = await server.lateen(
			...["wait", "routerule/reviews", "--generation", "2", "--for=Ready"],
		);
		expect(code).to.equal(0);
		expect(out).to.match(
			/^routerule\/reviews: Generation 2 is live: 1 of 1 proxies/,
		);
	});

	it("answers 1 when a proxy does not answer in time, and names it", async () => {
		let isSilent = false;
		const proxy = await server.proxy("default/client");
		const waiting = (async () => {
			while (!isSilent) await proxy.told();
		})().catch(() => undefined);
		await server.counts("rr/reviews", 1);
		isSilent = true;
		// The one response that is waited for is answered; the next is not.
		await server.write("rules.yaml", timeout("2s"));
		await waiting;
		await server.write("rules.yaml", timeout("3s"));
		const { code, err } = await server.lateen(
			...["wait", "rr/reviews", "--generation=3", "--timeout=2s"],
		);
		expect(code).to.equal(1);
		expect(err).to.include("Programmed is not True after 2 s. Distributing: ");
		expect(err).to.include("0 of 1 proxies");
		expect(err).to.include("default/client");
	});

	it("answers 4 at once when validation refuses the object, though the old form is live", async () => {
		await server.write("rules.yaml", timeout("2"));
		const invalid = await server.lateen(
			...["wait", "rr/reviews", "--for=Accepted=False", "--generation=2"],
		);
		expect(invalid.code, invalid.err).to.equal(0);
		const { code, err } = await server.lateen("wait", "rr/reviews");
		expect(code).to.equal(4);
		expect(err).to.include("Invalid: Generation 2 is refused: spec.timeout");
		expect(err).to.include("Generation 1 of the object stays in force.");
	});

	it("does not take the last good form for the newest after a restart", async () => {
		await server.write("rules.yaml", timeout("2s"));
		await server.lateen("wait", "rr/reviews", "--generation=2");
		await server.write("rules.yaml", timeout("2"));
		await server.lateen("wait", "rr/reviews", "--for=Accepted=False");
		await server.restart();
		const { code, err } = await server.lateen("wait", "rr/reviews");
		expect(code).to.equal(4);
		expect(err).to.include(
			"The last good form of the object, from before the server started, stays in force.",
		);
	});

	it("answers 4 when a proxy refuses the object, with the proxy's words", async () => {
		let words: string | undefined;
		void answer(await server.proxy("default/client"), () => words);
		await server.counts("rr/reviews", 1);
		words = "Proto constraint validation failed";
		await server.write("rules.yaml", timeout("2s"));
		const { code, err } = await server.lateen(
			...["wait", "rr/reviews", "--generation=2", "--timeout=20s"],
		);
		expect(code, err).to.equal(4);
		expect(err).to.include(
			"default/client says: Proto constraint validation failed",
		);
		const events = await server.lateen("get", "events", "-o", "json");
		expect(events.out).to.include('"reason": "Rejected"');
	});

	it("waits for an object that is not there yet, and past a restart of the server", async () => {
		await using wait = server.start(
			...["wait", "rr/late", "rr/reviews", "--timeout=25s"],
		);
		// Once it has seen one, it watches the other, too.
		expect(await wait.line()).to.include("routerule/reviews: ");
		await server.kill();
		await server.write(
			"late.yaml",
			rule(
				"late",
				"{destination: {name: reviews}, precedence: 1, match: [{path: /a}]}",
			),
		);
		await server.run();
		expect(await wait.line()).to.include("routerule/late: ");
		const { code, err } = await wait.ended();
		expect(code, err).to.equal(0);
	});

	it("looks once when it is given no time", async () => {
		const { code, err } = await server.lateen(
			...["wait", "rr/none", "--timeout=0s"],
		);
		expect(code).to.equal(1);
		expect(err).to.include("Programmed is not True now. There is no RouteRule");
	});
});

describe("the command line of lateen wait", () => {
	const cases = [
		{ name: "no object", words: [], says: "Name an object" },
		{ name: "a kind alone", words: ["rr"], says: "rr/NAME" },
		{
			name: "an unknown condition",
			words: ["rr/a", "--for=Programed"],
			says: "Did you mean Programmed?",
		},
		{
			name: "an unknown status",
			words: ["rr/a", "--for=Ready=yes"],
			says: "True, False or Unknown",
		},
	];
	for (const { name, words, says } of cases)
		it(`refuses ${name} with exit code 2`, async () => {
			const { code, err } = await runLateen(["wait", ...words]);
			expect(code).to.equal(2);
			expect(err).to.include(says);
		});

	it("answers 3 when no server runs", async () => {
		const { code, err } = await runLateen([
			...["wait", "rr/a", "--server=unix:/nonexistent/admin.sock"],
		]);
		expect(code).to.equal(3);
		expect(err).to.include("lateen serve --source=directory:PATH");
	});
});
