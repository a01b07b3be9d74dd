/** Where a server listens or is reached: TCP, or a Unix socket. Port 0 lets the system choose. */
export type Address =
	| { readonly host: string; readonly port: number }
	| { readonly path: string };

/** The form people read: `127.0.0.1:15010`, `[::1]:15010`, or the path of the socket. */
export function printAddress(address: Address): string {
	if ("path" in address) return address.path;
	const host = address.host.includes(":") ? `[${address.host}]` : address.host;
	return `${host}:${address.port}`;
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
	return (
		host === "localhost" ||
		host === "::1" ||
		/^127\.\d+\.\d+\.\d+$/.test(host) ||
		/^::ffff:127\.\d+\.\d+\.\d+$/i.test(host)
	);
}
