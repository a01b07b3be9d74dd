import { BlockList, isIP } from "node:net";

/** True when the IP address is in the subnet. */
export function inSubnet(
	address: string,
	subnet: {
		readonly addressPrefix: string;
		readonly prefixLen?: number | undefined;
	},
): boolean {
	const family = isIP(subnet.addressPrefix);
	if (family === 0 || isIP(address) !== family) return false;
	const type = family === 6 ? "ipv6" : "ipv4";
	const list = new BlockList();
	list.addSubnet(subnet.addressPrefix, subnet.prefixLen ?? 0, type);
	return list.check(address, type);
}
