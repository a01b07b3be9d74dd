import type { FieldPath } from "./field-path.ts";
import { printValue } from "./print-value.ts";
import type { Report } from "./report.ts";

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX =
	/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Reports keys that no label can have. */
export function checkLabelKeys(
	labels: Readonly<Record<string, string>>,
	path: FieldPath,
	report: Report,
): void {
	for (const key of Object.keys(labels)) {
		if (isLabelKey(key)) continue;
		report(
			[...path, { key }],
			`${printValue(key)} is not a label key. Use up to 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends, after an optional "domain/".`,
		);
	}
}

function isLabelKey(key: string): boolean {
	const parts = key.split("/");
	const name = parts.at(-1) ?? "";
	if (parts.length > 2 || !NAME.test(name)) return false;
	const prefix = parts.length === 2 ? parts[0] : undefined;
	return prefix === undefined || (prefix.length <= 253 && PREFIX.test(prefix));
}
