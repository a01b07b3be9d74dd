import { type KeyObject, X509Certificate } from "node:crypto";
import { readPemBundle } from "./pem-bundle.ts";

/** Whether the first certificate of a PEM text was signed by the authority whose certificate is given, as names and signature say. */
export function wasIssuedBy(pem: string, authority: string): boolean {
	const certificate = open(pem);
	const issuer = open(authority);
	if (certificate === undefined || issuer === undefined) return false;
	return (
		certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
	);
}

/** Whether the first certificate of a PEM text is the private key's. */
export function keyMatches(pem: string, privateKey: KeyObject): boolean {
	return open(pem)?.checkPrivateKey(privateKey) ?? false;
}

function open(pem: string): X509Certificate | undefined {
	const [der] = readPemBundle(pem);
	if (der === undefined) return undefined;
	try {
		return new X509Certificate(der);
	} catch {
		// What cannot be read matches nothing; `parseCertificate` says what is wrong with it.
		return undefined;
	}
}
