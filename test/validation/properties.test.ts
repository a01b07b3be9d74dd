import { expect } from "chai";
import fc from "fast-check";
import { parseDuration } from "../../src/api/duration.ts";
import { parseObject } from "../../src/api/parse-object.ts";

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

const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);
const words = fc.constantFrom("exact", "prefix", "suffix", "contains");
/** Without the one name that is refused, because objects of JavaScript cannot hold it safely. */
const text = fc
	.stringMatching(/^[!-~]{1,30}$/)
	.filter((text) => text !== "__proto__");
const duration = fc
	.record({
		amount: fc.integer({ min: 1, max: 3000 }),
		unit: fc.constantFrom("ms", "s", "m"),
	})
	.map(({ amount, unit }) => `${amount}${unit}`);
const percent = fc.double({ min: 0, max: 100, noNaN: true });
const port = fc.integer({ min: 1, max: 65535 });
const labels = fc.dictionary(name, name, { minKeys: 1, maxKeys: 3 });
const headerName = fc.stringMatching(/^x-[a-z0-9]{1,10}$/);
const headers = fc.dictionary(headerName, text, { minKeys: 1, maxKeys: 4 });

const stringMatch = fc.oneof(
	text,
	fc
		.record({ word: words, text, not: fc.boolean(), ignoreCase: fc.boolean() })
		.map(({ word, text, ...flags }) => ({ [word]: text, ...flags })),
	fc.record({ regex: fc.constantFrom("a+", "^[a-z]{1,9}$", "(?i)x|y") }),
	fc.record({ present: fc.boolean() }),
);

const path = fc.oneof(
	fc.stringMatching(/^\/[a-z0-9/._-]{0,20}$/),
	fc.record({ prefix: fc.stringMatching(/^\/[a-z0-9/._-]{0,20}$/) }),
);

const match = fc.record(
	{
		source: fc.record({ namespace: name, labels }),
		path,
		method: fc.constantFrom("GET", "POST", "PURGE"),
		headers: fc.dictionary(headerName, stringMatch, { minKeys: 1, maxKeys: 4 }),
		query: fc.dictionary(text, stringMatch, { minKeys: 1, maxKeys: 4 }),
		port,
	},
	{ requiredKeys: [] },
);

const destination = fc.record(
	{ name, namespace: name, port },
	{ requiredKeys: ["name"] },
);

const changes = fc.record({
	set: headers,
	add: headers,
	remove: fc.array(headerName, { minLength: 1, maxLength: 3 }),
});

const rule = fc.record({
	apiVersion: fc.constant("lateen.dev/v1alpha1"),
	kind: fc.constant("RouteRule"),
	metadata: fc.record({ name, namespace: name, labels }),
	spec: fc.record(
		{
			destination,
			precedence: fc.integer({ min: -1000, max: 1000 }),
			match: fc.array(match, { minLength: 1, maxLength: 4 }),
			route: fc.array(
				fc.record(
					{
						destination,
						labels,
						weight: fc.integer({ min: 1, max: 1000 }),
						headers: fc.record({ request: changes }),
					},
					{ requiredKeys: [] },
				),
				{ minLength: 1, maxLength: 4 },
			),
			timeout: duration,
			idleTimeout: duration,
			retries: fc.record(
				{
					attempts: fc.integer({ min: 0, max: 20 }),
					perTryTimeout: duration,
					backoff: fc.record({ base: duration }),
					budget: fc.record({ percent }),
				},
				{ requiredKeys: [] },
			),
			fault: fc.record({
				delay: fc.record({ percent, duration }),
				abort: fc.record({ httpStatus: fc.integer({ min: 200, max: 599 }) }),
			}),
			mirror: fc.array(fc.record({ destination, percent }), {
				minLength: 1,
				maxLength: 3,
			}),
			rewrite: fc.oneof(
				fc.record({ path: fc.constant("/x") }),
				fc.record({
					regex: fc.record({
						pattern: fc.constant("^/(a+)"),
						replacement: fc.constant("/b\\1"),
					}),
				}),
			),
			cors: fc.record({
				allowOrigins: fc.constantFrom(["*"], [{ suffix: ".example.com" }]),
				maxAge: fc.constant("1h"),
			}),
			headers: fc.record({ response: changes }),
			affinity: fc.oneof(
				fc.record({ header: headerName }),
				fc.record({
					cookie: fc.record({ name: headerName, ttl: fc.constant("90s") }),
				}),
			),
		},
		{ requiredKeys: ["destination"] },
	),
});

/** A copy of a rule in which one value, anywhere, is another one. */
function withOneChange(
	value: unknown,
	where: number,
	other: unknown,
): { readonly value: unknown; readonly left: number } {
	if (where === 0) return { value: other, left: -1 };
	if (typeof value !== "object" || value === null) {
		return { value, left: where - 1 };
	}
	let left = where - 1;
	const entries = Object.entries(value).map(([key, child]) => {
		if (left < 0) return [key, child];
		const changed = withOneChange(child, left, other);
		left = changed.left;
		return [key, changed.value];
	});
	const copy = Object.fromEntries(entries);
	return {
		value: Array.isArray(value) ? Object.values(copy) : copy,
		left,
	};
}

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
			fc.property(rule, fc.nat(60), other, (good, where, value) => {
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
			fc.property(rule, (good) => {
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
			fc.property(rule, (good) => {
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
