/** A range of addresses, with what is needed to compare it with others. */
export interface Subnet {
	/** As it was first written: `10.1.0.0`. */
	readonly address: string;
	/** The leading bits that all its addresses share, as a text of `0` and `1`. */
	readonly prefix: string;
	readonly isIPv6: boolean;
}

/**
 * Reads `10.1.0.0/16`, `fd00::/8` or an address alone.
 *
 * Expects: a text that validation accepted as a subnet.
 */
export function parseSubnet(text: string): Subnet {
	const [address = "", length] = text.split("/");
	const isIPv6 = address.includes(":");
	const bits = isIPv6 ? bitsOfIPv6(address) : bitsOfIPv4(address);
	return {
		address,
		prefix: length === undefined ? bits : bits.slice(0, Number(length)),
		isIPv6,
	};
}

/** True when every address of `inner` is one of `outer`. */
export function subnetContains(outer: Subnet, inner: Subnet): boolean {
	return outer.isIPv6 === inner.isIPv6 && inner.prefix.startsWith(outer.prefix);
}

function bitsOfIPv4(address: string): string {
	return address
		.split(".")
		.map((part) => Number(part).toString(2).padStart(8, "0"))
		.join("");
}

function bitsOfIPv6(address: string): string {
	const [head = "", tail] = address.split("::").map(bitsOfGroups);
	return tail === undefined ? head : head.padEnd(128 - tail.length, "0") + tail;
}

function bitsOfGroups(groups: string): string {
	if (groups === "") return "";
	return groups
		.split(":")
		.map((group) =>
			group.includes(".")
				? bitsOfIPv4(group)
				: Number.parseInt(group, 16).toString(2).padStart(16, "0"),
		)
		.join("");
}
