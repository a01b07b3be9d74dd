import { isIP } from "node:net";

/** An address and port, or a Unix socket. */
export type SocketAddress =
	| { readonly host: string; readonly port: number }
	| { readonly path: string };

/** Parses `127.0.0.1:15001` or `[::1]:15001`; undefined when the host is no IP address or the port is none. */
export function parseIpPort(
	text: string,
): { readonly host: string; readonly port: number } | undefined {
	const found = parseHostPort(text);
	return found !== undefined && isIP(found.host) !== 0 ? found : undefined;
}

/** Parses `host:port` with any host; an IPv6 address stands in brackets. */
export function parseHostPort(
	text: string,
): { readonly host: string; readonly port: number } | undefined {
	const found = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]/\s]+)):([0-9]{1,5})$/.exec(
		text,
	);
	if (found === null) return undefined;
	const [, bracketed, plain, digits] = found;
	const port = Number(digits);
	const host = bracketed ?? plain;
	if (host === undefined || port < 1 || port > 65_535) return undefined;
	if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
	return { host, port };
}
