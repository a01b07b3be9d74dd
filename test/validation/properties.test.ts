import { expect } from "chai";
import fc from "fast-check";
import { parseDuration } from "../../src/api/duration.ts";
import { parseObject } from "../../src/api/parse-object.ts";
import { anyRule, withOneChange } from "./any-rule.ts";

const KINDS = [
	["v1", "Namespace"],
	["v1", "Node"],
	["v1", "Pod"],
	["v1", "Service"],
	["v1", "ServiceAccount"],
	["discovery.k8s.io/v1", "EndpointSlice"],
	["lateen.dev/v1alpha1", "ExternalService"],
	["lateen.dev/v1alpha1", "Mesh"],
	["lateen.dev/v1alpha1", "RouteRule"],
] as const;

describe("parseObject", () => {
	it("never throws, whatever the value", () => {
		fc.assert(
			fc.property(fc.anything(), (value) => {
				expect(parseObject(value).kind).to.equal("invalid");
			}),
			{ numRuns: 500 },
		);
	});

	it("never throws, whatever the fields of a known kind", () => {
		const fields = fc.dictionary(
			fc.oneof(
				fc.constantFrom("metadata", "spec", "status", "endpoints", "ports"),
				fc.string(),
			),
			fc.oneof(fc.jsonValue(), fc.anything()),
		);
		fc.assert(
			fc.property(fc.constantFrom(...KINDS), fields, (head, rest) => {
				const [apiVersion, kind] = head;
				parseObject({ ...rest, apiVersion, kind });
			}),
			{ numRuns: 1000 },
		);
	});

	it("never throws on a rule that is wrong in one place, and says where when it refuses it", () => {
		const other = fc.oneof(
			fc.constantFrom<unknown>(null, [], {}, "", -1, 1e9, 0.5, true, [null]),
			fc.jsonValue(),
		);
		fc.assert(
			fc.property(anyRule, fc.nat(60), other, (good, where, value) => {
				const parsed = parseObject(withOneChange(good, where, value).value);
				if (parsed.kind !== "invalid") return;
				expect(parsed.invalid.violations).not.to.be.empty;
				for (const { message } of parsed.invalid.violations) {
					expect(message).to.match(/[.?]$/);
				}
			}),
			{ numRuns: 1000 },
		);
	});

	it("accepts every rule that is made by the rules", () => {
		fc.assert(
			fc.property(anyRule, (good) => {
				const parsed = parseObject(good);
				expect(
					parsed.kind === "invalid" ? parsed.invalid.violations : [],
				).to.deep.equal([]);
			}),
			{ numRuns: 500 },
		);
	});

	it("changes nothing when the parsed spec is parsed again", () => {
		fc.assert(
			fc.property(anyRule, (good) => {
				const once = parseObject(good);
				if (once.kind !== "object" || !("spec" in once.object)) return;
				const twice = parseObject({ ...good, spec: once.object.spec });
				expect(twice).to.deep.equal(once);
			}),
			{ numRuns: 200 },
		);
	});
});

describe("parseDuration", () => {
	it("reads what is printed", () => {
		fc.assert(
			fc.property(
				fc.nat(50),
				fc.nat(59),
				fc.nat(59),
				fc.nat(999),
				(hours, minutes, seconds, ms) => {
					const printed = `${hours}h${minutes}m${seconds}s${ms}ms`;
					expect(parseDuration(printed)).to.equal(
						((hours * 60 + minutes) * 60 + seconds) * 1000 + ms,
					);
				},
			),
		);
	});
});
