import type {
	RouteAction,
	RouteMatch,
} from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import { pathOnly } from "./http-request.ts";
import { regexReplace } from "./regex.ts";

/** The path and query after what a route changes in them. */
export function rewritePath(
	path: string,
	match: RouteMatch | undefined,
	action: Pick<RouteAction, "prefixRewrite" | "regexRewrite">,
): string {
	if (path === "") return path;
	if (action.prefixRewrite !== "")
		return replacePrefix(path, match, action.prefixRewrite);
	const { regexRewrite } = action;
	if (regexRewrite?.pattern === undefined) return path;
	const name = pathOnly(path);
	return `${regexReplace(regexRewrite.pattern.regex, regexRewrite.substitution, name)}${path.slice(name.length)}`;
}

/** Replaces what the route has matched: the prefix, or all of the path. */
export function replacePrefix(
	path: string,
	match: RouteMatch | undefined,
	prefix: string,
): string {
	const specifier = match?.pathSpecifier;
	const matched =
		specifier?.case === "prefix"
			? specifier.value.length
			: pathOnly(path).length;
	return `${prefix}${path.slice(matched)}`;
}
