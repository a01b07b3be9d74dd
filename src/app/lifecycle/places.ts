import { join } from "node:path";
import { type Address, isLoopback, printAddress } from "../../net/address.ts";
import { StartError } from "./start-error.ts";

/** Where the objects come from. */
export type SourcePlace =
	| { readonly kind: "directory"; readonly path: string }
	| { readonly kind: "kubernetes" };

/**
 * Reads `--source`.
 *
 * Fails when: it names no kind of source that there is; then with a `StartError`.
 */
export function parseSource(text: string): SourcePlace {
	if (text === "kubernetes") return { kind: "kubernetes" };
	const [kind, ...rest] = text.split(":");
	const path = rest.join(":");
	if (kind === "directory" && path !== "") return { kind: "directory", path };
	throw new StartError(
		"APP_SOURCE_UNKNOWN",
		`${JSON.stringify(text)} is not a source. Write --source=kubernetes or --source=directory:PATH.`,
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

/** How `serve.json` and `--server` write the address of the admin API. */
export function printAdmin(address: Address): string {
	const text = printAddress(address);
	return "path" in address ? `unix:${text}` : text;
}
