import {
	RedirectAction_RedirectResponseCode as Code,
	type RedirectAction,
	type RouteMatch,
} from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import type { HttpRequest } from "./http-request.ts";
import { withoutPort } from "./match-domain.ts";
import { replacePrefix } from "./rewrite-path.ts";

/** Where a redirect sends the client, as the `location` header says it. */
export function redirectLocation(
	request: HttpRequest,
	match: RouteMatch | undefined,
	redirect: RedirectAction,
): string {
	const { schemeRewriteSpecifier, hostRedirect, portRedirect } = redirect;
	const scheme = schemeOf(schemeRewriteSpecifier) ?? request.scheme;
	const port = portRedirect === 0 ? "" : `:${portRedirect}`;
	const host =
		hostRedirect === "" ? keptHost(request, scheme, port !== "") : hostRedirect;
	return `${scheme}://${host}${port}${pathOf(request.path, match, redirect)}`;
}

/** The status of a redirect. */
export function redirectStatus(redirect: RedirectAction): number {
	switch (redirect.responseCode) {
		case Code.MOVED_PERMANENTLY:
			return 301;
		case Code.FOUND:
			return 302;
		case Code.SEE_OTHER:
			return 303;
		case Code.TEMPORARY_REDIRECT:
			return 307;
		case Code.PERMANENT_REDIRECT:
			return 308;
	}
}

function schemeOf(
	specifier: RedirectAction["schemeRewriteSpecifier"],
): string | undefined {
	switch (specifier.case) {
		case "schemeRedirect":
			return specifier.value;
		case "httpsRedirect":
			return specifier.value ? "https" : undefined;
		case undefined:
			return undefined;
	}
}

/** A port that belongs to the old scheme, or that a new one replaces, is dropped. */
function keptHost(
	{ authority, scheme: before }: HttpRequest,
	scheme: string,
	hasPort: boolean,
): string {
	const ofScheme =
		(before === "http" && authority.endsWith(":80")) ||
		(before === "https" && authority.endsWith(":443"));
	return hasPort || (scheme !== before && ofScheme)
		? withoutPort(authority)
		: authority;
}

function pathOf(
	path: string,
	match: RouteMatch | undefined,
	{ pathRewriteSpecifier }: RedirectAction,
): string {
	switch (pathRewriteSpecifier.case) {
		case "pathRedirect": {
			const question = path.indexOf("?");
			// A query of its own takes the place of the request's.
			return pathRewriteSpecifier.value.includes("?") || question < 0
				? pathRewriteSpecifier.value
				: `${pathRewriteSpecifier.value}${path.slice(question)}`;
		}
		case "prefixRewrite":
			return replacePrefix(path, match, pathRewriteSpecifier.value);
		case "regexRewrite":
		case undefined:
			return path;
	}
}
