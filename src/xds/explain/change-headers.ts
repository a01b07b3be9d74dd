import {
	HeaderValueOption_HeaderAppendAction as AppendAction,
	type HeaderValueOption,
} from "../../gen/envoy/envoy/config/core/v3/base_pb.js";
import type { HeaderSteps } from "./explanation.ts";

/** Changes that one level of the configuration asks for, in the order in which Envoy makes them. */
export function headerSteps(
	add: readonly HeaderValueOption[],
	remove: readonly string[],
): HeaderSteps {
	return [
		...remove.map((name) => ({ op: "remove" as const, name, value: "" })),
		...add.map(({ header, appendAction }) => ({
			op:
				appendAction === AppendAction.OVERWRITE_IF_EXISTS_OR_ADD
					? ("set" as const)
					: ("add" as const),
			name: (header?.key ?? "").toLowerCase(),
			// A percent sign that is no command is written twice.
			value: (header?.value ?? "").replaceAll("%%", "%"),
		})),
	];
}

/** The headers after these changes. */
export function changeHeaders(
	headers: readonly (readonly [name: string, value: string])[],
	steps: HeaderSteps,
): readonly (readonly [name: string, value: string])[] {
	let current = headers;
	for (const { op, name, value } of steps) {
		if (op !== "add") current = current.filter(([header]) => header !== name);
		if (op !== "remove") current = [...current, [name, value]];
	}
	return current;
}
