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

/** The values of a header, one for each time it stands there; pseudo-headers such as `:path` too. */
export function headerValues(
	request: HttpRequest,
	name: string,
): readonly string[] {
	const pseudo = pseudoHeader(request, name);
	if (pseudo !== undefined) return pseudo === "" ? [] : [pseudo];
	const values = request.headers
		.filter(([header]) => header === name)
		.map(([, value]) => value);
	// What a client does not say, every proxy adds before it looks for a route.
	return values.length === 0 &&
		name === "x-forwarded-proto" &&
		request.scheme !== ""
		? [request.scheme]
		: values;
}

/** The same for people: several values with commas between them. Undefined when there is none. */
export function headerOf(
	request: HttpRequest,
	name: string,
): string | undefined {
	const values = headerValues(request, name);
	return values.length === 0 ? undefined : values.join(", ");
}

function pseudoHeader(
	{ method, scheme, authority, path }: HttpRequest,
	name: string,
): string | undefined {
	switch (name) {
		case ":method":
			return method;
		case ":scheme":
			return scheme;
		case ":authority":
		case "host":
			return authority;
		case ":path":
			return path;
		default:
			return undefined;
	}
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
