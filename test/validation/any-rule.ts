import fc from "fast-check";

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

/** RouteRules that are valid, with most of their fields. */
export const anyRule = fc.record({
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

/** A copy in which one value is another one: the `where`th, counted through all levels, with how many are left to count when there are fewer. */
export function withOneChange(
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
