import { createHash } from "node:crypto";
import type { CertificateNames } from "./certificate-names.ts";
import { derTag } from "./der.ts";
import { DerError } from "./der-error.ts";
import {
	type DerElement,
	expectTag,
	readBoolean,
	readDer,
	readInteger,
	readMembers,
	readOid,
	readTime,
} from "./der-reader.ts";
import { printIp } from "./ip-bytes.ts";
import { oids } from "./oids.ts";
import { readPemBundle } from "./pem-bundle.ts";

/** What a certificate says about itself. Nothing here is verified. */
export interface CertificateFacts {
	/** The last `CN` of its subject; undefined when it has none. */
	readonly commonName: string | undefined;
	readonly names: CertificateNames;
	readonly notBeforeMs: number;
	/** The last moment at which it is good. */
	readonly notAfterMs: number;
	readonly isAuthority: boolean;
	/** In hex, lower case. */
	readonly serial: string;
	/** Identifier of its key, in hex. */
	readonly keyId: string | undefined;
	/** Identifier of the key that signed it, in hex. */
	readonly authorityKeyId: string | undefined;
	/** SHA-256 of the whole certificate, in hex: equal for equal certificates only. */
	readonly fingerprint: string;
}

/** The facts, and the subject as it stands there, for certificates that it issues. */
export interface ReadCertificate {
	readonly facts: CertificateFacts;
	/** DER of the subject. */
	readonly subject: Uint8Array;
}

/** More than any chain has. */
const maxExtensions = 64;
/** More than a certificate of a mesh has. */
const maxNames = 1_000;

const contextTags = {
	version: 0xa0,
	issuerUniqueId: 0x81,
	subjectUniqueId: 0x82,
	extensions: 0xa3,
	keyId: 0x80,
	dns: 0x82,
	uri: 0x86,
	ip: 0x87,
} as const;

/** Reads the first certificate of a PEM text. Fails with a `DerError` that says what is wrong. */
export function readCertificate(pem: string): ReadCertificate {
	const [der] = readPemBundle(pem);
	if (der === undefined) {
		throw new DerError(
			"It holds no certificate in PEM (-----BEGIN CERTIFICATE-----).",
		);
	}
	const outer = readMembers(expectTag(readDer(der), derTag.sequence, "body"));
	const [toSign, algorithm, signature, ...more] = outer;
	expectTag(algorithm, derTag.sequence, "signature algorithm");
	expectTag(signature, derTag.bitString, "signature");
	if (more.length > 0)
		throw new DerError("It has parts that no certificate has.");
	const fields = [
		...readMembers(expectTag(toSign, derTag.sequence, "content")),
	];
	if (fields[0]?.tag === contextTags.version) fields.shift();
	const [serial, , , validity, subject, publicKey, ...optional] = fields;
	expectTag(publicKey, derTag.sequence, "public key");
	const name = expectTag(subject, derTag.sequence, "subject");
	const [notBefore, notAfter] = readMembers(
		expectTag(validity, derTag.sequence, "validity"),
	);
	const extensions = readExtensions(optional);
	const facts: CertificateFacts = {
		commonName: readCommonName(name),
		names: readNames(extensions.get(oids.subjectAltName)),
		notBeforeMs: readTime(notBefore, "notBefore"),
		notAfterMs: readTime(notAfter, "notAfter"),
		isAuthority: readIsAuthority(extensions.get(oids.basicConstraints)),
		serial: hex(readInteger(serial, "serial number")),
		keyId: readKeyId(extensions.get(oids.subjectKeyIdentifier)),
		authorityKeyId: readAuthorityKeyId(
			extensions.get(oids.authorityKeyIdentifier),
		),
		fingerprint: createHash("sha256").update(der).digest("hex"),
	};
	return { facts, subject: name.whole };
}

/** The facts of the first certificate of a PEM text, or a sentence about why there are none. */
export function parseCertificate(
	pem: string,
): { readonly facts: CertificateFacts } | { readonly refusal: string } {
	try {
		return { facts: readCertificate(pem).facts };
	} catch (error) {
		if (error instanceof DerError) return { refusal: error.message };
		throw error;
	}
}

function readExtensions(
	optional: readonly DerElement[],
): ReadonlyMap<string, DerElement> {
	const found = new Map<string, DerElement>();
	for (const part of optional) {
		switch (part.tag) {
			case contextTags.issuerUniqueId:
			case contextTags.subjectUniqueId:
				break;
			case contextTags.extensions: {
				const [list, ...more] = readMembers(part);
				const entries = readMembers(
					expectTag(list, derTag.sequence, "list of extensions"),
				);
				if (more.length > 0 || entries.length > maxExtensions) {
					throw new DerError("Its list of extensions cannot be used.");
				}
				for (const entry of entries) addExtension(found, entry);
				break;
			}
			default:
				throw new DerError("It has parts that no certificate has.");
		}
	}
	return found;
}

function addExtension(found: Map<string, DerElement>, entry: DerElement): void {
	const place = "list of extensions";
	const members = [...readMembers(expectTag(entry, derTag.sequence, place))];
	const oid = readOid(members.shift(), place);
	if (members[0]?.tag === derTag.boolean) readBoolean(members.shift(), place);
	const value = expectTag(members[0], derTag.octetString, place);
	if (members.length > 1) {
		throw new DerError(`Its extension ${oid} has parts that none has.`);
	}
	if (found.has(oid)) {
		throw new DerError(`Its extension ${oid} stands there twice.`);
	}
	found.set(oid, readDer(value.content));
}

function readNames(extension: DerElement | undefined): CertificateNames {
	const dns: string[] = [];
	const ips: string[] = [];
	const uris: string[] = [];
	if (extension === undefined) return { dns, ips, uris };
	const place = "list of alternative names";
	const entries = readMembers(expectTag(extension, derTag.sequence, place));
	if (entries.length > maxNames) {
		throw new DerError(`Its ${place} is longer than ${maxNames}.`);
	}
	for (const { tag, content } of entries) {
		switch (tag) {
			case contextTags.dns:
				dns.push(readAscii(content, place).toLowerCase());
				break;
			case contextTags.uri:
				uris.push(readAscii(content, place));
				break;
			case contextTags.ip: {
				const ip = printIp(content);
				if (ip === undefined) {
					throw new DerError(`Its ${place} has an address that is none.`);
				}
				ips.push(ip);
				break;
			}
			default:
			// Mail addresses, directory names: nobody here speaks by them.
		}
	}
	return { dns, ips, uris };
}

/** A name with a zero byte or a control character in it is a known trick. */
function readAscii(bytes: Uint8Array, place: string): string {
	const text = Buffer.from(bytes).toString("latin1");
	if (/^[\x21-\x7e]+$/.test(text)) return text;
	throw new DerError(`Its ${place} has a name that is not printable ASCII.`);
}

function readIsAuthority(extension: DerElement | undefined): boolean {
	if (extension === undefined) return false;
	const place = "basic constraints";
	const [first] = readMembers(expectTag(extension, derTag.sequence, place));
	return first?.tag === derTag.boolean && readBoolean(first, place);
}

function readKeyId(extension: DerElement | undefined): string | undefined {
	return extension === undefined
		? undefined
		: hex(expectTag(extension, derTag.octetString, "key identifier").content);
}

function readAuthorityKeyId(
	extension: DerElement | undefined,
): string | undefined {
	if (extension === undefined) return undefined;
	const members = readMembers(
		expectTag(extension, derTag.sequence, "authority key identifier"),
	);
	const found = members.find(({ tag }) => tag === contextTags.keyId);
	return found === undefined ? undefined : hex(found.content);
}

function readCommonName(subject: DerElement): string | undefined {
	let commonName: string | undefined;
	for (const set of readMembers(subject)) {
		for (const pair of readMembers(set)) {
			const [oid, value] = readMembers(pair);
			if (readOid(oid, "subject") !== oids.commonName) continue;
			commonName = Buffer.from(value?.content ?? []).toString("utf8");
		}
	}
	return commonName;
}

function hex(bytes: Uint8Array): string {
	return Buffer.from(bytes).toString("hex");
}
