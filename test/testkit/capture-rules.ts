/** What the capture rules of one workload depend on. */
export interface Capture {
	/** User and group that the proxy runs as, and nobody else. */
	readonly proxyId: number;
	readonly outboundPort: number;
	readonly inboundPort: number;
	/** Ports of the workload that clients reach without the proxy. */
	readonly excludeInboundPorts: readonly number[];
	/** Subnets that the workload reaches without the proxy. */
	readonly excludeOutboundSubnets: readonly string[];
}

/**
 * The rules that send a workload's TCP traffic through its proxy, as input of
 * `iptables-restore`; for IPv4.
 *
 * Order matters: within a chain the first match decides. What the proxy itself
 * sends is known by its user and group and left alone, or it would come back
 * to the proxy for ever.
 */
export function captureRules(capture: Capture): string {
	const {
		proxyId,
		outboundPort,
		inboundPort,
		excludeInboundPorts,
		excludeOutboundSubnets,
	} = capture;
	// In this order for the user and then for the group.
	const byOwner = ["uid", "gid"].flatMap((owner) => [
		// The proxy calls its own workload by its address: that passes the inbound side like a call from elsewhere.
		`-A LATEEN_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp -m owner --${owner}-owner ${proxyId} -j LATEEN_TO_INBOUND`,
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
		...excludeInboundPorts.map(
			(port) => `-A LATEEN_INBOUND -p tcp --dport ${port} -j RETURN`,
		),
		"-A LATEEN_INBOUND -p tcp -j LATEEN_TO_INBOUND",
		"-A OUTPUT -j LATEEN_OUTPUT",
		// The proxy hands a connection to the application; it comes from this address for that reason alone.
		"-A LATEEN_OUTPUT -o lo -s 127.0.0.6/32 -j RETURN",
		...byOwner,
		"-A LATEEN_OUTPUT -d 127.0.0.1/32 -j RETURN",
		...excludeOutboundSubnets.map(
			(subnet) => `-A LATEEN_OUTPUT -d ${subnet} -j RETURN`,
		),
		"-A LATEEN_OUTPUT -j LATEEN_TO_OUTBOUND",
		"COMMIT",
		"",
	].join("\n");
}
