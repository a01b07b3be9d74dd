import type { ConnectionOptions } from "node:tls";
import type { TlsMaterial } from "../lib/tls-material.ts";

/** Whom a client of ours trusts, and as whom it comes. */
export interface ClientTls {
	/** PEM of the authorities to trust; by default those that Node comes with. */
	readonly ca?: string;
	/** Shown when the server asks for it. */
	readonly identity?: TlsMaterial;
	/** Name that the server's certificate must have, instead of the host in the URL. */
	readonly serverName?: string;
}

/** The same as Node takes it. */
export function clientTlsOptions({
	ca,
	identity,
	serverName,
}: ClientTls): ConnectionOptions {
	return {
		minVersion: "TLSv1.2",
		...(ca === undefined ? {} : { ca }),
		...(serverName === undefined ? {} : { servername: serverName }),
		...(identity === undefined
			? {}
			: { cert: identity.cert, key: identity.key.reveal() }),
	};
}
