const BLOCK =
	/-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----/g;

/** Whether the text is one or more certificates in PEM form, each complete as far as its outermost structure tells. */
export function isPemCertificates(text: string): boolean {
	const bodies = [...text.matchAll(BLOCK)].map(([, body]) => body ?? "");
	const begun = text.match(/-----BEGIN /g)?.length ?? 0;
	return begun > 0 && begun === bodies.length && bodies.every(isOneSequence);
}

/** Whether base64 text is exactly one DER SEQUENCE, by its length. */
function isOneSequence(base64: string): boolean {
	const compact = base64.replaceAll(/\s/g, "");
	if (compact.length % 4 !== 0 || !/^[^=]+={0,2}$/.test(compact)) return false;
	const bytes = Uint8Array.from(atob(compact), (char) => char.charCodeAt(0));
	const [tag, first = 0] = bytes;
	if (tag !== 0x30) return false;
	if (first < 0x80) return bytes.length === 2 + first;
	const lengthBytes = first & 0x7f;
	let length = 0;
	for (const byte of bytes.subarray(2, 2 + lengthBytes)) {
		length = length * 256 + byte;
	}
	return lengthBytes <= 4 && bytes.length === 2 + lengthBytes + length;
}
