import { isSubnet } from "../api/ip-address.ts";
import { captureRules } from "./capture-rules.ts";
import type { InjectionSettings } from "./context.ts";
import type { Json } from "./json.ts";
import { names, ports } from "./names.ts";
import type { Steering } from "./steering.ts";

/*
 * In a pod without IPv6 there is nothing to capture of it; nothing below /proc has a size to ask for. The address is where the proxy
 * hands connections over from: without it, Linux lets nobody bind to it, which for 127.0.0.6 it does.
 */
const script = `printf '%s' "$IPV4_RULES" | iptables-restore --noflush
if [ -n "$(cat /proc/net/if_inet6 2>/dev/null)" ]; then
  ip -6 address replace ::6/128 dev lo
  printf '%s' "$IPV6_RULES" | ip6tables-restore --noflush
fi
`;

/** The init container that makes traffic go through the proxy; the only one with capabilities. */
export function captureContainer(
	settings: InjectionSettings,
	steering: Steering,
): Json {
	const { proxyUser, captureImage, proxyImage, imagePullPolicy } = settings;
	const capture = {
		proxyId: proxyUser,
		outboundPort: ports.outbound,
		inboundPort: ports.inbound,
		includeInboundPorts: steering.includeInboundPorts,
		excludeInboundPorts: [ports.status, ...steering.excludeInboundPorts],
		includeOutboundSubnets: steering.includeOutboundSubnets,
		excludeOutboundSubnets: [
			...(settings.excludeOutboundSubnets ?? []).filter(isSubnet),
			...steering.excludeOutboundSubnets,
		],
		includeOutboundPorts: steering.includeOutboundPorts,
		excludeOutboundPorts: steering.excludeOutboundPorts,
	};
	return {
		name: names.captureContainer,
		image: captureImage ?? proxyImage,
		...(imagePullPolicy !== undefined && { imagePullPolicy }),
		command: ["sh", "-ec", script],
		env: [
			{ name: "IPV4_RULES", value: captureRules(capture, "IPv4") },
			{ name: "IPV6_RULES", value: captureRules(capture, "IPv6") },
			// Its usual place is not to be written to here; the newer variant has no lock.
			{ name: "XTABLES_LOCKFILE", value: "/dev/shm/lateen-xtables.lock" },
		],
		resources: { requests: { cpu: "10m", memory: "16Mi" } },
		securityContext: {
			allowPrivilegeEscalation: false,
			capabilities: { add: ["NET_ADMIN", "NET_RAW"], drop: ["ALL"] },
			privileged: false,
			readOnlyRootFilesystem: true,
			runAsGroup: 0,
			runAsNonRoot: false,
			runAsUser: 0,
			seccompProfile: { type: "RuntimeDefault" },
		},
	};
}
