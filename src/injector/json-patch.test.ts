import { expect } from "chai";
import fc from "fast-check";
import { isRecord } from "../api/fields.ts";
import type { Json } from "./json.ts";
import { jsonPatch, type PatchOperation } from "./json-patch.ts";

/** As RFC 6902 says, for the three operations that are made. */
function applied(object: Json, patch: readonly PatchOperation[]): unknown {
	const root: unknown = structuredClone(object);
	for (const operation of patch) {
		const steps = operation.path
			.split("/")
			.slice(1)
			.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
		const last = steps.pop() ?? "";
		let holder: unknown = root;
		for (const step of steps)
			holder = Array.isArray(holder)
				? holder[Number(step)]
				: isRecord(holder)
					? holder[step]
					: undefined;
		if (Array.isArray(holder)) {
			expect(operation.op).to.equal("replace");
			holder[Number(last)] = "value" in operation && operation.value;
		} else if (isRecord(holder)) {
			expect(Object.hasOwn(holder, last)).to.equal(operation.op !== "add");
			if (operation.op === "remove") Reflect.deleteProperty(holder, last);
			else Reflect.set(holder, last, structuredClone(operation.value));
		} else throw new Error(`There is no ${operation.path}.`);
	}
	return root;
}

describe("jsonPatch", () => {
	it("says nothing when nothing changes", () => {
		expect(jsonPatch({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] })).to.deep.equal(
			[],
		);
	});

	it("names fields with slashes as RFC 6901 does", () => {
		expect(
			jsonPatch({ labels: {} }, { labels: { "lateen.dev/a~b": "1" } }),
		).to.deep.equal([
			{ op: "add", path: "/labels/lateen.dev~1a~0b", value: "1" },
		]);
	});

	it("makes one object of any other, whose parents are always there", () => {
		const object = fc.dictionary(
			fc.constantFrom("a", "b", "a/b", "~", "0"),
			fc.letrec<{ value: unknown }>((tie) => ({
				value: fc.oneof(
					{ maxDepth: 3 },
					fc.nat(2),
					fc.array(tie("value"), { maxLength: 3 }),
					fc.dictionary(fc.constantFrom("a", "/", "c"), tie("value"), {
						noNullPrototype: true,
					}),
				),
			})).value,
			{ noNullPrototype: true },
		);
		fc.assert(
			fc.property(object, object, (before, after) => {
				expect(applied(before, jsonPatch(before, after))).to.deep.equal(after);
			}),
		);
	});
});
