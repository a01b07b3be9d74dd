import {
	checkHeaderChange,
	checkHeaderValue,
	checkSameHeaders,
} from "./check-header.ts";
import { each } from "./each.ts";
import type { FieldPath } from "./field-path.ts";
import type { Report } from "./report.ts";
import type { HeaderChanges, HeaderRules } from "./route-rule.ts";

/** Reports changes to headers that Envoy refuses or that contradict each other. */
export function checkHeaderRules(
	rules: HeaderRules,
	path: FieldPath,
	report: Report,
): void {
	for (const side of ["request", "response"] as const) {
		const changes = rules[side];
		if (changes !== undefined) checkChanges(changes, [...path, side], report);
	}
}

function checkChanges(
	changes: HeaderChanges,
	path: FieldPath,
	report: Report,
): void {
	for (const verb of ["set", "add"] as const) {
		const headers = changes[verb] ?? {};
		for (const [name, value] of Object.entries(headers)) {
			const at = [...path, verb, { key: name }];
			checkHeaderChange(name, at, report);
			checkHeaderValue(value, at, report);
		}
		checkSameHeaders(
			Object.keys(headers),
			(name) => [...path, verb, { key: name }],
			report,
		);
	}
	each(changes.remove, [...path, "remove"], (name, at) =>
		checkHeaderChange(name, at, report),
	);
}
