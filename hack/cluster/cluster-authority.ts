import { createAuthority } from "../../src/pki/create-authority.ts";
import { generateKey } from "../../src/pki/generate-key.ts";
import { issueCertificate } from "../../src/pki/issue-certificate.ts";
import { printPrivateKey } from "../../src/pki/private-key.ts";
import type { Validity } from "../../src/pki/sign-certificate.ts";
import type { Subject } from "../../src/pki/subject.ts";

/** A certificate with its key, both as PEM. */
export interface Certificate {
	readonly cert: string;
	readonly key: string;
}

/** Whom a certificate is for. */
export interface CertificateOwner extends Subject {
	readonly commonName: string;
	readonly dnsNames?: readonly string[];
	/** IPv4 or IPv6. */
	readonly addresses?: readonly string[];
}

const lifetimeMs = 365 * 24 * 3_600_000;

/** For machines whose clocks differ a little. */
const slackMs = 3_600_000;

/** Signs who is who in a cluster of this machine's own: everything for a year, itself too. */
export class ClusterAuthority {
	/** PEM of its own certificate. */
	readonly cert: string;
	readonly #keys = generateKey();
	readonly #validity: Validity;

	constructor() {
		const nowMs = Date.now();
		this.#validity = {
			notBeforeMs: nowMs - slackMs,
			notAfterMs: nowMs + lifetimeMs,
		};
		this.cert = createAuthority({
			name: "kubernetes",
			keys: this.#keys,
			validity: this.#validity,
		});
	}

	/** A new key and a certificate for it, with which its owner may serve and call. */
	issue({
		dnsNames = [],
		addresses = [],
		...subject
	}: CertificateOwner): Certificate {
		const { privateKey, publicKey } = generateKey();
		return {
			cert: issueCertificate({
				issuer: { certificate: this.cert, privateKey: this.#keys.privateKey },
				publicKey,
				subject,
				names: { dns: dnsNames, ips: addresses, uris: [] },
				usages: ["server", "client"],
				validity: this.#validity,
			}),
			key: printPrivateKey(privateKey).reveal().toString(),
		};
	}
}
