import { createPublicKey, type KeyObject } from "node:crypto";
import type { CertificateNames } from "./certificate-names.ts";
import {
	derBitString,
	derContext,
	derOctetString,
	derOid,
	derSequence,
} from "./der.ts";
import { DerError } from "./der-error.ts";
import { readDer, readMembers } from "./der-reader.ts";
import { parseIp } from "./ip-bytes.ts";
import { oids } from "./oids.ts";
import { printPem } from "./pem-bundle.ts";
import { readCertificate } from "./read-certificate.ts";
import {
	extension,
	keyIdOf,
	signCertificate,
	type Validity,
} from "./sign-certificate.ts";
import { printSubject, type Subject } from "./subject.ts";

/** What an authority signs with. */
export interface Issuer {
	/** PEM of its own certificate. */
	readonly certificate: string;
	readonly privateKey: KeyObject;
}

/**
 * A certificate for a key and its names, as PEM. It is never good for longer
 * than its issuer is, as others refuse it then anyway.
 *
 * Fails when: the issuer's certificate cannot be read, or a name is none; then
 *   with a `DerError`.
 */
export function issueCertificate(asked: {
	readonly issuer: Issuer;
	readonly publicKey: KeyObject;
	readonly names: CertificateNames;
	/** By default none: who it is stands in the names. */
	readonly subject?: Subject;
	readonly usages: readonly ("server" | "client")[];
	readonly validity: Validity;
}): string {
	const { issuer, publicKey, usages, validity } = asked;
	const own = printSubject(asked.subject ?? {});
	const isNamed = readMembers(readDer(own)).length > 0;
	const names = namesOf(asked.names);
	if (names.length === 0 && !isNamed) {
		throw new DerError("A certificate speaks for at least one name.");
	}
	const { facts, subject } = readCertificate(issuer.certificate);
	const authorityKeyId =
		facts.keyId === undefined
			? keyIdOf(createPublicKey(issuer.privateKey))
			: Buffer.from(facts.keyId, "hex");
	return printPem(
		signCertificate(issuer.privateKey, {
			issuer: subject,
			subject: own,
			validity: {
				notBeforeMs: Math.max(validity.notBeforeMs, facts.notBeforeMs),
				notAfterMs: Math.min(validity.notAfterMs, facts.notAfterMs),
			},
			publicKey,
			extensions: [
				extension(oids.basicConstraints, "critical", derSequence()),
				// digitalSignature (0): a P-256 key is of no use for key encipherment.
				extension(
					oids.keyUsage,
					"critical",
					derBitString(Buffer.from([0b1000_0000]), 7),
				),
				extension(
					oids.extendedKeyUsage,
					"plain",
					derSequence(
						...usages.map((usage) =>
							derOid(usage === "server" ? oids.serverAuth : oids.clientAuth),
						),
					),
				),
				...(names.length === 0
					? []
					: [
							extension(
								oids.subjectAltName,
								// RFC 5280 section 4.2.1.6: where the subject says nothing, whoever reads it must understand the names.
								isNamed ? "plain" : "critical",
								derSequence(...names),
							),
						]),
				extension(
					oids.subjectKeyIdentifier,
					"plain",
					derOctetString(keyIdOf(publicKey)),
				),
				extension(
					oids.authorityKeyIdentifier,
					"plain",
					derSequence(derContext(0, "primitive", authorityKeyId)),
				),
			],
		}),
	);
}

function namesOf({ dns, ips, uris }: CertificateNames): readonly Uint8Array[] {
	const ascii = (text: string): Uint8Array => {
		if (/^[\x21-\x7e]{1,2048}$/.test(text)) return Buffer.from(text, "latin1");
		throw new DerError(
			`${JSON.stringify(text.slice(0, 100))} cannot stand in a certificate: names are printable ASCII.`,
		);
	};
	return [
		...dns.map((name) => derContext(2, "primitive", ascii(name.toLowerCase()))),
		...uris.map((uri) => derContext(6, "primitive", ascii(uri))),
		...ips.map((ip) => {
			const bytes = parseIp(ip);
			if (bytes !== undefined) return derContext(7, "primitive", bytes);
			throw new DerError(`${JSON.stringify(ip)} is no IP address.`);
		}),
	];
}
