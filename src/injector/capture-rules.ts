import { addressBits } from "../api/ip-address.ts";

/** What the capture rules of one workload depend on. */
export interface Capture {
	/** User and group that the proxy runs as, and nobody else. */
	readonly proxyId: number;
	/** Where the proxy takes what goes out. */
	readonly outboundPort: number;
	/** Where the proxy takes what comes in. */
	readonly inboundPort: number;
	/** Ports of the workload that clients reach through the proxy. */
	readonly includeInboundPorts: "all" | readonly number[];
	/** Ports of the workload that clients reach without the proxy; they win over the included ones. */
	readonly excludeInboundPorts: readonly number[];
	/** Subnets and addresses that the workload reaches through the proxy. */
	readonly includeOutboundSubnets: "all" | readonly string[];
	/** Subnets and addresses that the workload reaches without the proxy. */
	readonly excludeOutboundSubnets: readonly string[];
	/** Ports that the workload reaches through the proxy wherever they are, excluded subnets excepted. */
	readonly includeOutboundPorts: readonly number[];
	/** Ports that the workload reaches without the proxy, wherever they are. */
	readonly excludeOutboundPorts: readonly number[];
}

/** Which of the two rule sets of a pod is meant. */
export type AddressFamily = "IPv4" | "IPv6";

const families = {
	IPv4: { bits: 32, loopback: "127.0.0.1/32", handedOver: "127.0.0.6/32" },
	IPv6: { bits: 128, loopback: "::1/128", handedOver: "::6/128" },
} as const;

/**
 * The rules that send a workload's TCP traffic through its proxy, as input of
 * `iptables-restore` or `ip6tables-restore`, with `--noflush`.
 *
 * Order matters: within a chain the first match decides. What the proxy itself
 * sends is known by its user and group and left alone, or it would come back
 * to the proxy for ever. Applied again, the rules mean the same: the chains are
 * written anew, and a second jump into a chain finds nothing that the first left.
 */
export function captureRules(capture: Capture, family: AddressFamily): string {
	const { proxyId, outboundPort, inboundPort } = capture;
	const { bits, loopback, handedOver } = families[family];
	const ofFamily = (subnets: readonly string[]): readonly string[] =>
		subnets.filter(
			(subnet) => addressBits(subnet.split("/")[0] ?? "") === bits,
		);
	const { includeInboundPorts, includeOutboundSubnets } = capture;
	// In this order for the user and then for the group.
	const byOwner = ["uid", "gid"].flatMap((owner) => [
		// The proxy calls its own workload by its address: that passes the inbound side like a call from elsewhere.
		`-A LATEEN_OUTPUT -o lo ! -d ${loopback} -p tcp -m owner --${owner}-owner ${proxyId} -j LATEEN_TO_INBOUND`,
		// The application calls itself.
		`-A LATEEN_OUTPUT -o lo -m owner ! --${owner}-owner ${proxyId} -j RETURN`,
		`-A LATEEN_OUTPUT -m owner --${owner}-owner ${proxyId} -j RETURN`,
	]);
	return [
		"*nat",
		":LATEEN_INBOUND - [0:0]",
		":LATEEN_OUTPUT - [0:0]",
		":LATEEN_TO_INBOUND - [0:0]",
		":LATEEN_TO_OUTBOUND - [0:0]",
		`-A LATEEN_TO_INBOUND -p tcp -j REDIRECT --to-ports ${inboundPort}`,
		`-A LATEEN_TO_OUTBOUND -p tcp -j REDIRECT --to-ports ${outboundPort}`,
		"-A PREROUTING -p tcp -j LATEEN_INBOUND",
		...capture.excludeInboundPorts.map(
			(port) => `-A LATEEN_INBOUND -p tcp --dport ${port} -j RETURN`,
		),
		...(includeInboundPorts === "all"
			? ["-A LATEEN_INBOUND -p tcp -j LATEEN_TO_INBOUND"]
			: includeInboundPorts.map(
					(port) =>
						`-A LATEEN_INBOUND -p tcp --dport ${port} -j LATEEN_TO_INBOUND`,
				)),
		"-A OUTPUT -j LATEEN_OUTPUT",
		...capture.excludeOutboundPorts.map(
			(port) => `-A LATEEN_OUTPUT -p tcp --dport ${port} -j RETURN`,
		),
		// The proxy hands a connection to the application; it comes from this address for that reason alone.
		`-A LATEEN_OUTPUT -o lo -s ${handedOver} -j RETURN`,
		...byOwner,
		`-A LATEEN_OUTPUT -d ${loopback} -j RETURN`,
		...ofFamily(capture.excludeOutboundSubnets).map(
			(subnet) => `-A LATEEN_OUTPUT -d ${subnet} -j RETURN`,
		),
		...capture.includeOutboundPorts.map(
			(port) => `-A LATEEN_OUTPUT -p tcp --dport ${port} -j LATEEN_TO_OUTBOUND`,
		),
		...(includeOutboundSubnets === "all"
			? ["-A LATEEN_OUTPUT -j LATEEN_TO_OUTBOUND"]
			: ofFamily(includeOutboundSubnets).map(
					(subnet) => `-A LATEEN_OUTPUT -d ${subnet} -j LATEEN_TO_OUTBOUND`,
				)),
		"COMMIT",
		"",
	].join("\n");
}
