/** What a client asks for, as it stands in a URL. */
export interface Target {
	readonly scheme: "http" | "https" | "tcp";
	/** Without brackets when it is an IPv6 address. */
	readonly host: string;
	readonly port: number;
	/** Path and query as they are written, at least `/`. */
	readonly path: string;
	/** Host, with the port unless it is the scheme's own. */
	readonly authority: string;
}

const defaultPorts = { http: 80, https: 443, tcp: 0 } as const;

/**
 * Reads `http://reviews:9080/reviews/1?page=2`, `https://…` or `tcp://db:5432`;
 * undefined when it is none of these. Paths stay as they are written, since what
 * a proxy makes of `..` is a part of the answer; letters outside ASCII are
 * escaped, as clients do it.
 */
export function parseTarget(text: string): Target | undefined {
	const match =
		/^(https?|tcp):\/\/(\[[0-9A-Fa-f:.]+\]|[^/?#:@[\]\s]+)(?::([0-9]{1,5}))?([/?][^#\s]*)?(?:#.*)?$/i.exec(
			text,
		);
	const scheme = schemes.find((one) => one === match?.[1]?.toLowerCase());
	const name = match?.[2];
	if (scheme === undefined || name === undefined) return undefined;
	const port = Number(match?.[3] ?? defaultPorts[scheme]);
	if (port < 1 || port > 65_535) return undefined;
	const path = (match?.[4] ?? "/").replaceAll(
		/[^\0-\x7f]+/gu,
		encodeURIComponent,
	);
	return {
		scheme,
		host: name.replaceAll(/[[\]]/g, ""),
		port,
		path: path.startsWith("/") ? path : `/${path}`,
		authority: port === defaultPorts[scheme] ? name : `${name}:${port}`,
	};
}

const schemes = ["http", "https", "tcp"] as const;
