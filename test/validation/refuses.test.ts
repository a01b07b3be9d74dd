import { expect } from "chai";
import { parseObject } from "../../src/api/parse-object.ts";
import type { Violation } from "../../src/api/violation.ts";
import * as tables from "./bad-objects.ts";

function violationsOf(value: unknown): readonly Violation[] {
	const parsed = parseObject(value);
	return parsed.kind === "invalid" ? parsed.invalid.violations : [];
}

const TITLES: { readonly [K in keyof typeof tables]: string } = {
	badHeads: "what every object must have",
	badShapes: "the schema of a RouteRule",
	badByCel: "the CEL rules",
	badMeanings: "what Envoy takes and what makes sense",
	badExternalServices: "an ExternalService",
	badCoreObjects: "kinds of Kubernetes",
	badMeshes: "a Mesh",
};

describe("validation", () => {
	for (const [table, list] of Object.entries(tables)) {
		describe(`of ${TITLES[table as keyof typeof tables]}`, () => {
			for (const bad of list) {
				it(`refuses ${bad.name}`, () => {
					const violations = violationsOf(bad.object);
					const found = violations.filter(({ path }) => path === bad.path);
					expect(
						found.map(({ message }) => message).join("\n"),
						`among ${JSON.stringify(violations)}`,
					).to.contain(bad.message);
				});
			}
		});
	}

	it("says what is wrong and what to do, in full sentences", () => {
		const all = Object.values(tables)
			.flat()
			.flatMap(({ object }) => violationsOf(object));
		expect(all).not.to.be.empty;
		for (const { message } of all) {
			expect(message).to.match(/^["`A-Z0-9:/]/);
			expect(message).to.match(/[.?]$/);
			expect(message.split(" ").length, message).to.be.at.least(5);
		}
	});

	it("tells everything at once, and each thing once", () => {
		const violations = violationsOf({
			apiVersion: "lateen.dev/v1alpha1",
			kind: "RouteRule",
			metadata: { name: "Bad" },
			spec: {
				destination: { name: "reviews", port: "80" },
				prcedence: 3,
				match: [
					{ path: { regex: "(?=a)" }, headers: { "": "x", b: { prefx: "y" } } },
				],
				route: [{ weight: -1 }, { labels: { version: 1 } }],
				redirect: { path: "foo" },
				timeout: "5",
			},
		});
		expect(violations.map(({ path }) => path).sort()).to.deep.equal([
			"metadata.name",
			"spec",
			"spec.destination.port",
			"spec.match[0].headers[]",
			"spec.match[0].headers[b].prefx",
			"spec.match[0].path.regex",
			"spec.prcedence",
			"spec.redirect",
			"spec.redirect.path",
			"spec.route[0].weight",
			"spec.route[1].labels[version]",
			"spec.timeout",
		]);
	});

	it("names the object that it refuses, with the generation it looked at", () => {
		const parsed = parseObject({
			apiVersion: "lateen.dev/v1alpha1",
			kind: "RouteRule",
			metadata: { name: "a", namespace: "shop", generation: 7 },
			spec: {},
		});
		expect(parsed).to.deep.include({ kind: "invalid" });
		expect(parsed.kind === "invalid" && parsed.invalid.ref).to.deep.equal({
			kind: "RouteRule",
			namespace: "shop",
			name: "a",
		});
		expect(parsed.kind === "invalid" && parsed.invalid.generation).to.equal(7);
	});

	it("names the object even when it is too large to look through", () => {
		const parsed = parseObject({
			apiVersion: "lateen.dev/v1alpha1",
			kind: "RouteRule",
			metadata: { name: "big" },
			spec: { list: Array.from({ length: 2_000_000 }, () => 1) },
		});
		expect(parsed.kind === "invalid" && parsed.invalid.ref).to.deep.equal({
			kind: "RouteRule",
			namespace: "default",
			name: "big",
		});
	});

	it("ends on an object that contains itself", () => {
		const object: Record<string, unknown> = { apiVersion: "v1", kind: "Pod" };
		object["metadata"] = object;
		expect(violationsOf(object)[0]?.message).to.contain("nested more than");
	});

	it("ends on an object that unfolds to gigabytes", () => {
		let bomb: unknown = ["x"];
		for (let level = 0; level < 40; level++) bomb = [bomb, bomb];
		expect(violationsOf({ bomb })[0]?.message).to.contain("larger than");
	});
});
