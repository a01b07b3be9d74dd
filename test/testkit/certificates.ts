import { readFileSync } from "node:fs";
import { join } from "node:path";

function pem(name: string): string {
	return readFileSync(join(import.meta.dirname, "certificates", name), "utf8");
}

/** What signed `apiCertificate`, as PEM. */
export function authorityCertificate(): string {
	return pem("ca.crt");
}

/** An authority that signed nothing, as PEM. */
export function strangersCertificate(): string {
	return pem("stranger.crt");
}

/** Certificate and key of a server of `api.example.com` and `*.example.net`, as PEM. */
export function apiCertificate(): {
	readonly cert: string;
	readonly key: string;
} {
	return { cert: pem("api.crt"), key: pem("api.key") };
}
