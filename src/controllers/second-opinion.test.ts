import { expect } from "chai";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { SecondOpinion } from "./second-opinion.ts";

function start(...proxies: readonly string[]) {
	const clock = new TestClock();
	const heard: string[] = [];
	const opinion = new SecondOpinion(
		clock,
		(_, known) => proxies.some((one) => !known.has(one)),
		({ verdict, by }) => {
			const versions = verdict.resources.map(({ version }) => version);
			heard.push(`${versions.join()} by ${[...by].join()}`);
		},
	);
	const refused = (proxy: string, ...versions: readonly string[]): void =>
		opinion.refused({
			op: "refused",
			software: "envoy",
			proxy,
			type: "cluster",
			message: "no",
			resources: versions.map((version) => ({
				name: version,
				version,
				origins: [],
			})),
		});
	return { clock, heard, refused, opinion };
}

describe("SecondOpinion", () => {
	it("believes a proxy at once when there is nobody to ask", () => {
		const { heard, refused } = start("a");
		refused("a", "v1", "v2");
		expect(heard).to.deep.equal(["v1 by a", "v2 by a"]);
	});

	it("gives others half a second to show that they accept it", () => {
		const { clock, heard, refused } = start("a", "b", "c");
		refused("a", "v1");
		clock.pass(499);
		expect(heard).to.deep.equal([]);
		clock.pass(1);
		expect(heard).to.deep.equal(["v1 by a"]);
	});

	it("hands on once what several refuse, with all of them", () => {
		const { clock, heard, refused } = start("a", "b", "c");
		refused("a", "v1");
		clock.pass(400);
		refused("b", "v1");
		clock.pass(100);
		expect(heard).to.deep.equal(["v1 by a,b"]);
		clock.pass(1000);
		expect(heard).to.have.length(1);
	});

	it("does not wait when everybody refuses it", () => {
		const { heard, refused, clock } = start("a", "b");
		refused("a", "v1");
		refused("b", "v1");
		expect(heard).to.deep.equal(["v1 by a,b"]);
		expect(clock.waiting).to.equal(0);
	});

	it("leaves no timer behind when it is disposed of", () => {
		const { refused, clock, opinion } = start("a", "b");
		refused("a", "v1", "v2");
		opinion[Symbol.dispose]();
		expect(clock.waiting).to.equal(0);
	});
});
