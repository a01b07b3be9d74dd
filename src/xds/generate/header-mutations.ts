import {
	HeaderValueOption_HeaderAppendAction as AppendAction,
	type HeaderValueOptionSchema,
} from "../../gen/envoy/envoy/config/core/v3/base_pb.js";
import type { HeaderChanges, HeaderMutations } from "../../mesh/route.ts";
import type { Init } from "./init.ts";

type HeaderValueOption = Init<typeof HeaderValueOptionSchema>;

/** Header changes as routes, virtual hosts and weighted clusters take them; only what changes something. */
export function headerMutations(mutations: HeaderMutations | undefined): {
	requestHeadersToAdd?: HeaderValueOption[];
	requestHeadersToRemove?: string[];
	responseHeadersToAdd?: HeaderValueOption[];
	responseHeadersToRemove?: string[];
} {
	if (mutations === undefined) return {};
	const { request, response } = mutations;
	const requestHeadersToAdd = headersToAdd(request);
	const responseHeadersToAdd = headersToAdd(response);
	return {
		...(requestHeadersToAdd.length > 0 ? { requestHeadersToAdd } : undefined),
		...(request.remove.length > 0
			? { requestHeadersToRemove: [...request.remove] }
			: undefined),
		...(responseHeadersToAdd.length > 0 ? { responseHeadersToAdd } : undefined),
		...(response.remove.length > 0
			? { responseHeadersToRemove: [...response.remove] }
			: undefined),
	};
}

function headersToAdd(changes: HeaderChanges): HeaderValueOption[] {
	return [
		...Object.entries(changes.set).map(([key, value]) =>
			option(key, value, AppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
		),
		...Object.entries(changes.add).map(([key, value]) =>
			option(key, value, AppendAction.APPEND_IF_EXISTS_OR_ADD),
		),
	];
}

function option(
	key: string,
	value: string,
	appendAction: AppendAction,
): HeaderValueOption {
	return {
		// Envoy would take %…% as a command that fills in facts about the request.
		header: { key, value: value.replaceAll("%", "%%") },
		appendAction,
		keepEmptyValue: true,
	};
}
