/** The bits of an address: 32 for IPv4, 128 for IPv6; undefined when the text is no IP address. */
export function addressBits(text: string): 32 | 128 | undefined {
	if (isIPv4(text)) return 32;
	return isIPv6(text) ? 128 : undefined;
}

/** Whether the text is an IP address or a CIDR such as `10.1.0.0/16`. */
export function isSubnet(text: string): boolean {
	const [address = "", length, ...rest] = text.split("/");
	const bits = addressBits(address);
	if (bits === undefined || rest.length > 0) return false;
	if (length === undefined) return true;
	return /^(0|[1-9]\d{0,2})$/.test(length) && Number(length) <= bits;
}

function isIPv4(text: string): boolean {
	const parts = text.split(".");
	return (
		parts.length === 4 &&
		parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)
	);
}

/** RFC 4291, section 2.2; without a zone. */
function isIPv6(text: string): boolean {
	const halves = text.split("::");
	if (halves.length > 2) return false;
	const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
	const last = groups.at(-1)?.at(-1);
	const endsInIPv4 = last?.includes(".") === true;
	if (endsInIPv4 && !isIPv4(last)) return false;
	const all = groups.flat();
	const hex = endsInIPv4 ? all.slice(0, -1) : all;
	if (!hex.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
	const count = hex.length + (endsInIPv4 ? 2 : 0);
	return halves.length === 2 ? count < 8 : count === 8;
}
