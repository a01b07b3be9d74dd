import { expect } from "chai";
import { type Ran, runLateen } from "./run-lateen.ts";
import { Serving } from "./serving.ts";

const service = `apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 9080}]}
`;

describe("lateen log-level", () => {
	let serving: Serving;
	before(async () => {
		serving = await Serving.start({ "service.yaml": service });
	});
	after(() => serving[Symbol.asyncDispose]());

	async function levels(...words: readonly string[]): Promise<unknown> {
		const { code, out, err } = await serving.lateen(
			"log-level",
			...words,
			...["-o", "json"],
		);
		expect(err).to.equal("");
		expect(code).to.equal(0);
		const { servers } = JSON.parse(out) as {
			readonly servers: readonly { readonly levels: unknown }[];
		};
		expect(servers).to.have.length(1);
		return servers[0]?.levels;
	}

	it("shows what is logged, part by part", async () => {
		const { code, out } = await serving.lateen("log-level");
		expect(code).to.equal(0);
		const lines = out.trimEnd().split("\n");
		expect(lines[0]).to.match(/^PART +LEVEL$/);
		expect(lines[1]).to.match(/^default +info$/);
		expect(lines).to.include("xds           info (default)");
	});

	it("changes one part, everything else, and back", async () => {
		expect(await levels("xds=debug", "warn")).to.have.nested.include({
			default: "warn",
			"parts.xds": "debug",
			"parts.mesh": null,
		});
		expect(await levels()).to.have.nested.include({ "parts.xds": "debug" });
		expect(await levels("info", "xds=default")).to.have.nested.include({
			default: "info",
			"parts.xds": null,
		});
	});

	for (const { name, words, says } of [
		{ name: "a level", words: ["debgu"], says: "Did you mean debug?" },
		{
			name: "a part",
			words: ["xsd=debug"],
			says: "xsd is no part of the server. Did you mean xds?",
		},
		{
			name: "two levels for everything",
			words: ["debug", "warn"],
			says: "There are two levels for everything: debug and warn.",
		},
	])
		it(`refuses ${name} that cannot be, without asking anybody`, async () => {
			const ran: Ran = await runLateen([
				"log-level",
				...words,
				...["--state-dir", "/nonexistent"],
			]);
			expect(ran.code).to.equal(2);
			expect(ran.err).to.include(says);
		});
});
