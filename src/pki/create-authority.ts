import {
	derBitString,
	derBoolean,
	derContext,
	derInteger,
	derOctetString,
	derSequence,
} from "./der.ts";
import type { KeyPair } from "./generate-key.ts";
import { oids } from "./oids.ts";
import { printPem } from "./pem-bundle.ts";
import {
	extension,
	keyIdOf,
	signCertificate,
	type Validity,
} from "./sign-certificate.ts";
import { printSubject } from "./subject.ts";

/**
 * The certificate of an authority that signs itself, as PEM.
 *
 * Its name is the given one with the beginning of its key's identifier behind
 * it, so that the present and the next authority never share a name. It may
 * sign leaf certificates only.
 */
export function createAuthority(asked: {
	readonly name: string;
	readonly keys: KeyPair;
	readonly validity: Validity;
}): string {
	const { keys, validity } = asked;
	const keyId = keyIdOf(keys.publicKey);
	const name = printSubject({
		commonName: `${asked.name} ${keyId.toString("hex").slice(0, 8)}`,
	});
	return printPem(
		signCertificate(keys.privateKey, {
			issuer: name,
			subject: name,
			validity,
			publicKey: keys.publicKey,
			extensions: [
				extension(
					oids.basicConstraints,
					"critical",
					derSequence(derBoolean(true), derInteger(Buffer.from([0]))),
				),
				// keyCertSign (5) and cRLSign (6), counted from the left.
				extension(
					oids.keyUsage,
					"critical",
					derBitString(Buffer.from([0b0000_0110]), 1),
				),
				extension(oids.subjectKeyIdentifier, "plain", derOctetString(keyId)),
				extension(
					oids.authorityKeyIdentifier,
					"plain",
					derSequence(derContext(0, "primitive", keyId)),
				),
			],
		}),
	);
}
