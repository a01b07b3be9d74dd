import { isIP } from "node:net";

/** The 4 or 16 bytes of an IP address, as a certificate holds it, or undefined for what is none. */
export function parseIp(text: string): Uint8Array | undefined {
	switch (isIP(text)) {
		case 4:
			return Buffer.from(text.split(".").map(Number));
		case 6:
			return text.includes("%") ? undefined : parseIpv6(text);
		default:
			return undefined;
	}
}

/** The text of 4 or 16 bytes: IPv6 in the form of RFC 5952. Undefined for another length. */
export function printIp(bytes: Uint8Array): string | undefined {
	if (bytes.length === 4) return [...bytes].join(".");
	if (bytes.length !== 16) return undefined;
	const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
	const groups = Array.from({ length: 8 }, (_, index) =>
		view.getUint16(index * 2).toString(16),
	);
	// A URL prints its address in that form.
	return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function parseIpv6(text: string): Uint8Array {
	const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
	const [head = "", tail] = canonical.split("::");
	const before = head === "" ? [] : head.split(":");
	const after = tail === undefined || tail === "" ? [] : tail.split(":");
	const zeros = Array.from(
		{ length: 8 - before.length - after.length },
		() => "0",
	);
	const bytes = Buffer.alloc(16);
	[...before, ...zeros, ...after].forEach((group, index) => {
		bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
	});
	return bytes;
}
