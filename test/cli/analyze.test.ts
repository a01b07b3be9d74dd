import { expect } from "chai";
import { reviews, rule } from "./manifests.ts";
import { runLateen } from "./run-lateen.ts";

const sound = rule("sound", "{destination: {name: reviews}, timeout: 3s}");

async function analyze(...documents: readonly string[]) {
	const { code, out } = await runLateen(["analyze", "-", "-o", "json"], {
		input: documents.join("---\n"),
	});
	return { code, value: JSON.parse(out) };
}

describe("lateen analyze", () => {
	it("is content with sound objects, and exits 0", async () => {
		const { code, out } = await runLateen(["analyze", "-"], {
			input: `${reviews}---\n${sound}`,
		});
		expect(code).to.equal(0);
		expect(out).to.equal(
			"3 objects: 3 in force, 0 partly in force, 0 not in force; 0 refused.\n",
		);
	});

	const findings = [
		{
			name: "a rule that can never be reached",
			spec: "{destination: {name: reviews}, timeout: 4s}",
			other: rule("early", "{destination: {name: reviews}, precedence: 9}"),
			effect: "not in force",
			reason: "Shadowed",
		},
		{
			name: "a destination that does not exist",
			spec: "{destination: {name: nowhere}, timeout: 4s}",
			effect: "not in force",
			reason: "DestinationNotFound",
		},
		{
			name: "labels that no endpoint has",
			spec: "{destination: {name: reviews}, route: [{labels: {version: v7}}]}",
			effect: "partly in force",
			reason: "SubsetEmpty",
		},
		{
			name: "a field that is refused",
			spec: "{destination: {name: reviews}, timeout: '4'}",
			effect: "refused",
			reason: "Invalid",
		},
	];
	for (const { name, spec, other, effect, reason } of findings)
		it(`finds ${name}, says what becomes of the rule, and exits 1`, async () => {
			const { code, value } = await analyze(
				...[reviews, ...(other === undefined ? [] : [other])],
				rule("suspect", spec),
			);
			expect(code).to.equal(1);
			expect(value).to.include({ sound: false });
			const suspect = value.objects.find(
				({ subject }: { subject: string }) =>
					subject === "RouteRule default/suspect",
			);
			expect(suspect).to.include({ effect, file: "<stdin>" });
			expect(suspect.problems[0]).to.include({ reason });
			expect(value.reasons).to.have.property(reason, 1);
		});

	const notes = [
		{
			name: "an entry that earlier entries cover",
			spec: "{destination: {name: reviews}, match: [{path: {prefix: /a}}, {path: /a/b}]}",
			reason: "ShadowedEntry",
			path: "spec.match[1]",
		},
		{
			name: "a weight of zero beside others",
			spec: "{destination: {name: reviews}, route: [{weight: 1}, {weight: 0}]}",
			reason: "ZeroWeight",
			path: "spec.route[1].weight",
		},
	];
	for (const { name, spec, reason, path } of notes)
		it(`notes ${name}, which is no fault`, async () => {
			const { code, value } = await analyze(reviews, rule("suspect", spec));
			expect(code).to.equal(0);
			expect(value.objects[0]).to.include({ effect: "in force" });
			expect(value.objects[0].problems[0]).to.include({
				severity: "note",
				reason,
				path,
			});
		});

	it("notes services that nobody serves, but only where there are endpoints", async () => {
		const lonely = reviews
			.split("---\n", 1)
			.join("")
			.replace("name: reviews", "name: lonely")
			.replace("10.0.0.1", "10.0.0.2");
		const among = await analyze(reviews, lonely);
		expect(among.value.objects).to.have.length(1);
		expect(among.value.objects[0].problems[0]).to.include({
			object: "Service default/lonely",
			reason: "NoEndpoints",
		});
		const alone = await analyze(lonely);
		expect(alone.value.objects).to.deep.equal([]);
	});

	it("groups by object, worst first, for people", async () => {
		const { code, out } = await runLateen(["analyze", "-"], {
			input: [
				reviews,
				rule(
					"a",
					"{destination: {name: reviews}, match: [{path: /a}], route: [{labels: {v: x}}]}",
				),
				rule("b", "{destination: {name: reviews}, timeout: '4'}"),
			].join("---\n"),
		});
		expect(code).to.equal(1);
		expect(out.indexOf("RouteRule default/b")).to.be.lessThan(
			out.indexOf("RouteRule default/a"),
		);
		expect(out).to.match(/^RouteRule default\/b {2}<stdin>:\d+ {2}refused$/m);
		expect(out).to.match(
			/^ {2}error {2}Invalid {2}spec\.timeout \(line \d+\)$/m,
		);
		expect(out).to.include(
			"3 objects: 2 in force, 1 partly in force, 0 not in force; 1 refused.",
		);
	});
});
