import { join } from "node:path";
import { type Address, isLoopback } from "../net/address.ts";
import { StartError } from "./start-error.ts";

/** The path of a directory source. */
export function parseSource(text: string): { readonly directory: string } {
	const [kind, ...rest] = text.split(":");
	const place = rest.join(":");
	if (kind === "directory" && place !== "") return { directory: place };
	if (kind === "kubernetes")
		throw new StartError(
			"APP_SOURCE_UNAVAILABLE",
			"This version cannot read from Kubernetes yet. Serve a folder of the same YAML files with --source=directory:PATH.",
		);
	throw new StartError(
		"APP_SOURCE_UNKNOWN",
		`${JSON.stringify(text)} is not a source. Write --source=directory:PATH.`,
	);
}

/** An address that passed the check of its setting. */
export function parseAddress(text: string): Address {
	const colon = text.lastIndexOf(":");
	const host = text.slice(0, colon).replace(/^\[|\]$/g, "");
	return { host, port: Number(text.slice(colon + 1)) };
}

/**
 * Where the admin API listens.
 *
 * Fails when: the address is open to the network, since the API has no
 *   passwords; then with a `StartError`.
 */
export function parseAdminListen(text: string, stateDir: string): Address {
	if (text === "unix") return { path: join(stateDir, "admin.sock") };
	if (text.startsWith("unix:")) return { path: text.slice("unix:".length) };
	if (!/:\d{1,5}$/.test(text) || Number(text.split(":").at(-1)) > 65_535)
		throw new StartError(
			"APP_LISTEN_REFUSED",
			`--admin-listen is ${JSON.stringify(text)}. Write unix, unix:PATH or a loopback address like 127.0.0.1:15014.`,
		);
	const address = parseAddress(text);
	if ("host" in address && !isLoopback(address.host))
		throw new StartError(
			"APP_LISTEN_REFUSED",
			`The admin API has no passwords, so it listens on loopback only, not on ${text}. Use 127.0.0.1, or a Unix socket.`,
		);
	return address;
}
