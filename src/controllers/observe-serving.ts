import type { PrivateBytes } from "../lib/private-bytes.ts";
import { splitPemBundle } from "../pki/pem-bundle.ts";
import { parsePrivateKey } from "../pki/private-key.ts";
import { parseCertificate } from "../pki/read-certificate.ts";
import { keyMatches, wasIssuedBy } from "../pki/verify-certificate.ts";
import type {
	SeenAuthority,
	SeenLeaf,
	SeenServing,
} from "../reconcilers/serving-certificate.ts";
import type { ServingSecret } from "./serving-secret.ts";

/** What the contents of the Secret and the published bundle mean. */
export function observeServing(
	secret: ServingSecret | undefined,
	published: string,
): Pick<
	SeenServing,
	"authorities" | "authorityKeyMatches" | "leaf" | "published"
> {
	const authorities = readAuthorities(secret?.authorities ?? "");
	const [first] = authorities;
	return {
		authorities,
		authorityKeyMatches:
			secret !== undefined &&
			first !== undefined &&
			isKeyOf(first.pem, secret.authorityKey),
		leaf: secret === undefined ? undefined : readLeaf(secret, authorities),
		published: readAuthorities(published),
	};
}

/** The certificates of a bundle, in one form each; what cannot be read is left out. */
export function readAuthorities(bundle: string): readonly SeenAuthority[] {
	return splitPemBundle(bundle).flatMap((pem) => {
		const read = parseCertificate(pem);
		return "facts" in read ? [{ pem, facts: read.facts }] : [];
	});
}

function readLeaf(
	{ certificate, key }: ServingSecret,
	authorities: readonly SeenAuthority[],
): SeenLeaf | undefined {
	const read = parseCertificate(certificate);
	if ("refusal" in read) return undefined;
	return {
		facts: read.facts,
		keyMatches: isKeyOf(certificate, key),
		issuer: authorities.find(({ pem }) => wasIssuedBy(certificate, pem))?.facts
			.fingerprint,
	};
}

/** Whether the first certificate of a PEM text is the key's. */
export function isKeyOf(certificate: string, key: PrivateBytes): boolean {
	const parsed = parsePrivateKey(key);
	return "keys" in parsed && keyMatches(certificate, parsed.keys.privateKey);
}
