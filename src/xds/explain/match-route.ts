import type { RouteMatch } from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import type { Condition } from "./condition.ts";
import type { HttpRequest } from "./http-request.ts";
import { matchHeader } from "./match-header.ts";
import { matchPath } from "./match-path.ts";
import { matchQuery } from "./match-query.ts";

/** Everything that a route asks for, held against the request; it is taken when all holds. */
export function matchRoute(
	match: RouteMatch,
	request: HttpRequest,
): readonly Condition[] {
	return [
		matchPath(match, request),
		...match.headers.map((header) => matchHeader(header, request)),
		...match.queryParameters.map((query) => matchQuery(query, request.path)),
	];
}
