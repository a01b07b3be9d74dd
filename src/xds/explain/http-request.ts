import type { SeenRequest } from "./explanation.ts";

/** A request as a proxy sees it before routing. */
export interface HttpRequest {
	readonly method: string;
	/** Empty for CONNECT, which has none. */
	readonly scheme: string;
	/** Host, with a port when the client says one. */
	readonly authority: string;
	/** Path and query; empty for CONNECT. */
	readonly path: string;
	/** In order, names in lower case; one name may stand several times. */
	readonly headers: readonly (readonly [name: string, value: string])[];
}

/** The value of a header, of several joined by commas; pseudo-headers such as `:path` too. Undefined when there is none. */
export function headerOf(
	request: HttpRequest,
	name: string,
): string | undefined {
	switch (name) {
		case ":method":
			return request.method;
		case ":scheme":
			return request.scheme === "" ? undefined : request.scheme;
		case ":authority":
		case "host":
			return request.authority;
		case ":path":
			return request.path === "" ? undefined : request.path;
	}
	const values = request.headers
		.filter(([header]) => header === name)
		.map(([, value]) => value);
	return values.length === 0 ? undefined : values.join(",");
}

/** The path without its query. */
export function pathOnly(path: string): string {
	return path.replace(/[?#].*$/s, "");
}

/** The part of a request that people are shown. */
export function seenRequest({
	method,
	authority,
	path,
	headers,
}: HttpRequest): SeenRequest {
	return { method, authority, path, headers };
}
