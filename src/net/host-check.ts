import { type Address, isLoopback } from "./address.ts";

/**
 * Why a request is refused for where it claims to come from, or undefined when
 * it is good.
 *
 * A page in a browser of this machine can reach a loopback port: by DNS
 * rebinding under a name of its own (`Host`), or cross-site (`Origin`). Neither
 * may use a server that trusts everyone on the machine. Unix sockets and
 * addresses that are open to the network are not restricted by `Host`.
 */
export function foreignOrigin(
	listening: Address,
	headers: ReadonlyMap<string, string>,
): string | undefined {
	const host = headers.get("host") ?? "";
	const origin = headers.get("origin");
	if (origin !== undefined && origin !== `http://${host}`) {
		return "Pages of other sites may not use this server.";
	}
	if ("path" in listening || !isLoopback(listening.host)) return undefined;
	return isLoopback(hostnameOf(host))
		? undefined
		: `This server answers to localhost and 127.0.0.1 only, not to the host "${host.slice(0, 100)}".`;
}

function hostnameOf(host: string): string {
	const bracketed = /^\[([^\]]*)\](:\d+)?$/.exec(host);
	return (bracketed?.[1] ?? host.replace(/:\d*$/, "")).toLowerCase();
}
