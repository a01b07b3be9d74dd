import type { FieldPath } from "./field-path.ts";
import { addressBits } from "./ip-address.ts";
import { printValue } from "./print-value.ts";
import type { Report } from "./report.ts";

const HOST =
	/^[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?)*\.?$/;

/** Reports a text that cannot be the host of a request; `withPort` allows `:8080` behind it. */
export function checkAuthority(
	authority: string,
	path: FieldPath,
	withPort: boolean,
	report: Report,
): void {
	const [, name = "", port] =
		/^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(authority) ?? [];
	const address = /^\[(.*)\]$/.exec(name)?.[1];
	const isHost =
		address === undefined ? HOST.test(name) : addressBits(address) === 128;
	if (!isHost) {
		report(
			path,
			`${printValue(authority)} is not a host. Write a name such as "api.example.com", or an address, with IPv6 in brackets.`,
		);
	} else if (port !== undefined && !withPort) {
		report(path, "The port does not belong here. Remove it, and set port.");
	} else if (port !== undefined && !isPort(port)) {
		report(
			path,
			`${printValue(port)} is not a port. Write a number between 1 and 65535, or remove it.`,
		);
	}
}

function isPort(text: string): boolean {
	return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535;
}
