import type { PrivateBytes } from "./private-bytes.ts";

/** What one end of a TLS connection proves itself with. */
export interface TlsMaterial {
	/** PEM: the certificate, then what leads from it to the authority that others trust. */
	readonly cert: string;
	/** PEM: the private key of the certificate. */
	readonly key: PrivateBytes;
}
