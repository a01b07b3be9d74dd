import { type Address, printAddress } from "../../net/address.ts";

/** How `serve.json` and `--server` write the address of the admin API. */
export function printAdmin(address: Address): string {
	const text = printAddress(address);
	return "path" in address ? `unix:${text}` : text;
}
