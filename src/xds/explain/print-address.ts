import type { Address } from "../../gen/envoy/envoy/config/core/v3/address_pb.js";

/** `127.0.0.1:8080`, `[::1]:8080`; empty for what is no TCP address. */
export function printAddress(address: Address | undefined): string {
	const socket = address?.address;
	if (socket?.case !== "socketAddress") return "";
	const { address: host, portSpecifier } = socket.value;
	const port = portSpecifier.case === "portValue" ? portSpecifier.value : 0;
	return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
