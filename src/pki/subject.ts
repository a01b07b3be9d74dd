import { derOid, derSequence, derSetOfOne, derUtf8String } from "./der.ts";
import { oids } from "./oids.ts";

/** The subject of a certificate: to Kubernetes the name and groups of a user, to most others nothing. */
export interface Subject {
	readonly commonName?: string;
	readonly organizations?: readonly string[];
}

/** The subject in DER; an empty name for one without parts. */
export function printSubject({
	commonName,
	organizations = [],
}: Subject): Uint8Array {
	const part = (oid: string, text: string): Uint8Array =>
		derSetOfOne(derSequence(derOid(oid), derUtf8String(text)));
	return derSequence(
		...organizations.map((name) => part(oids.organization, name)),
		...(commonName === undefined ? [] : [part(oids.commonName, commonName)]),
	);
}
