import type { FieldPath } from "./field-path.ts";
import type { StringMatch } from "./route-rule.ts";

/** The kinds of test that a string match can be. */
export const STRING_TESTS = [
	"exact",
	"prefix",
	"suffix",
	"contains",
	"regex",
] as const;

/** One string test of a string match, with the place where its text stands. */
export interface StringTest {
	readonly kind: (typeof STRING_TESTS)[number];
	readonly text: string;
	readonly path: FieldPath;
}

/** All string tests that a string match holds; a valid one holds one, or `present` and none. */
export function stringTestsOf(
	match: StringMatch,
	path: FieldPath,
): readonly StringTest[] {
	if (typeof match === "string") return [{ kind: "exact", text: match, path }];
	return STRING_TESTS.flatMap((kind) => {
		const text = match[kind];
		return text === undefined ? [] : [{ kind, text, path: [...path, kind] }];
	});
}
