// What a certificate of ours says (RFC 5280, and SPIFFE X.509-SVID where it has a
// URI): version 3, ECDSA P-256 with SHA-256, basic constraints and key usage
// critical, both key identifiers so that a reader with two authorities of the
// same mesh tries the right one first.

import { createHash, type KeyObject, sign } from "node:crypto";
import {
	derBitString,
	derBoolean,
	derContext,
	derInteger,
	derOctetString,
	derOid,
	derSequence,
	derTag,
	derTime,
} from "./der.ts";
import { DerError } from "./der-error.ts";
import { expectTag, readDer, readMembers } from "./der-reader.ts";
import { oids } from "./oids.ts";

/** From when until when a certificate is good. Milliseconds since the epoch; parts of a second are cut off. */
export interface Validity {
	readonly notBeforeMs: number;
	readonly notAfterMs: number;
}

/** What a certificate says besides its serial number. */
export interface CertificateContent {
	/** DER of the name. */
	readonly issuer: Uint8Array;
	/** DER of the name. */
	readonly subject: Uint8Array;
	readonly validity: Validity;
	readonly publicKey: KeyObject;
	/** Each made by `extension`. */
	readonly extensions: readonly Uint8Array[];
}

/** The whole certificate in DER. Fails with a `DerError` when it would never be good. */
export function signCertificate(
	key: KeyObject,
	content: CertificateContent,
): Uint8Array {
	const algorithm = derSequence(derOid(oids.ecdsaWithSha256));
	const { issuer, subject, validity, publicKey, extensions } = content;
	if (validity.notAfterMs <= validity.notBeforeMs) {
		throw new DerError("The certificate would be good for no time at all.");
	}
	const rest = [
		algorithm,
		issuer,
		derSequence(derTime(validity.notBeforeMs), derTime(validity.notAfterMs)),
		subject,
		publicKey.export({ format: "der", type: "spki" }),
		derContext(3, "constructed", derSequence(...extensions)),
	];
	const toSign = derSequence(
		derContext(0, "constructed", derInteger(Buffer.from([2]))),
		derInteger(serialOf(rest)),
		...rest,
	);
	const signature = sign("sha256", toSign, { key, dsaEncoding: "der" });
	return derSequence(toSign, algorithm, derBitString(signature));
}

/**
 * 127 bits of the hash of everything else that the certificate says: never the
 * same for two certificates of one authority, and no randomness is needed here.
 */
function serialOf(content: readonly Uint8Array[]): Uint8Array {
	const hash = createHash("sha256").update(Buffer.concat(content)).digest();
	const serial = hash.subarray(0, 16);
	// Between 64 and 127 in the first byte: positive, and always of the same length.
	serial.writeUInt8((serial.readUInt8(0) & 0x3f) | 0x40, 0);
	return serial;
}

/** The identifier of a key, as RFC 7093 section 2 method 1: the left 160 bits of the SHA-256 of the public key's bits. */
export function keyIdOf(publicKey: KeyObject): Buffer {
	const info = readDer(publicKey.export({ format: "der", type: "spki" }));
	const [, bits] = readMembers(info);
	const { content } = expectTag(bits, derTag.bitString, "public key");
	return createHash("sha256")
		.update(content.subarray(1))
		.digest()
		.subarray(0, 20);
}

/** One extension around its value in DER. */
export function extension(
	oid: string,
	weight: "critical" | "plain",
	value: Uint8Array,
): Uint8Array {
	// DER leaves out what has its default value, and `critical` is false by default.
	const critical = weight === "critical" ? [derBoolean(true)] : [];
	return derSequence(derOid(oid), ...critical, derOctetString(value));
}
