/** The DER inside each certificate of a PEM text, in order; what stands between them is comment. */
export function readPemBundle(text: string): readonly Uint8Array[] {
	const found: Uint8Array[] = [];
	const block =
		/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g;
	for (const [, base64 = ""] of text.matchAll(block)) {
		found.push(Buffer.from(base64.replace(/\s/g, ""), "base64"));
	}
	return found;
}

/** One certificate as PEM, with a line end after it. */
export function printPem(der: Uint8Array): string {
	const lines =
		Buffer.from(der)
			.toString("base64")
			.match(/.{1,64}/g) ?? [];
	return [
		"-----BEGIN CERTIFICATE-----",
		...lines,
		"-----END CERTIFICATE-----",
		"",
	].join("\n");
}

/** Each certificate of a PEM text as a text of its own, in one form whatever its line lengths were. */
export function splitPemBundle(text: string): readonly string[] {
	return readPemBundle(text).map(printPem);
}
