import type { TlsMaterial } from "../../src/lib/tls-material.ts";
import { createAuthority } from "../../src/pki/create-authority.ts";
import { generateKey } from "../../src/pki/generate-key.ts";
import { issueCertificate } from "../../src/pki/issue-certificate.ts";
import { printPrivateKey } from "../../src/pki/private-key.ts";

const hourMs = 3_600_000;

/** An authority that lives as long as a test. */
export interface TestAuthority {
	/** PEM of its certificate. */
	readonly ca: string;
	/** A certificate with its key; for `localhost` and 127.0.0.1, good for an hour, unless it is said otherwise. */
	issue(asked?: {
		readonly dns?: readonly string[];
		readonly ips?: readonly string[];
		readonly uris?: readonly string[];
		readonly notBeforeMs?: number;
		readonly notAfterMs?: number;
	}): TlsMaterial;
}

/** Makes an authority. */
export function testAuthority(name = "Test"): TestAuthority {
	const keys = generateKey();
	const nowMs = Date.now();
	const ca = createAuthority({
		name,
		keys,
		validity: {
			notBeforeMs: nowMs - 100 * hourMs,
			notAfterMs: nowMs + 100 * hourMs,
		},
	});
	return {
		ca,
		issue({
			dns = ["localhost"],
			ips = ["127.0.0.1"],
			uris = [],
			notBeforeMs = nowMs - hourMs,
			notAfterMs = nowMs + hourMs,
		} = {}) {
			const own = generateKey();
			return {
				cert: issueCertificate({
					issuer: { certificate: ca, privateKey: keys.privateKey },
					publicKey: own.publicKey,
					names: { dns, ips, uris },
					usages: ["server", "client"],
					validity: { notBeforeMs, notAfterMs },
				}),
				key: printPrivateKey(own.privateKey),
			};
		},
	};
}
