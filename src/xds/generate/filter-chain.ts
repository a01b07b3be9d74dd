import type { CidrRangeSchema } from "../../gen/envoy/envoy/config/core/v3/address_pb.js";
import type {
	FilterChainMatchSchema,
	FilterChainSchema,
} from "../../gen/envoy/envoy/config/listener/v3/listener_components_pb.js";
import type { CallerRule } from "../../mesh/caller.ts";
import type { Rule, TcpMatch } from "../../mesh/route.ts";
import type { NetworkFilter } from "./http-connection-manager.ts";
import type { Init } from "./init.ts";
import { plainHttp } from "./listener-filters.ts";
import { unresolvedCluster } from "./names.ts";
import { tcpProxy, weightedTcpProxy } from "./tcp-proxy.ts";

/** A filter chain, before encoding. */
export type FilterChainInit = Init<typeof FilterChainSchema>;
type ChainMatch = Init<typeof FilterChainMatchSchema>;

/**
 * The filter chains of connections to one TCP port of a service.
 *
 * Envoy takes the chain with the most specific match and never goes back, so
 * among conditions of one rule or several the narrower subnet or server name
 * wins; equal conditions are the earlier rule's.
 *
 * @param base conditions that every chain has, such as the destination port.
 */
export function tcpFilterChains(
	statPrefix: string,
	rules: readonly CallerRule[],
	wholeCluster: string,
	base: ChainMatch = {},
): FilterChainInit[] {
	const chains: FilterChainInit[] = [];
	const taken = new Set<string>();
	for (const { rule, branches } of rules) {
		if (rule.layer !== "tcp") continue;
		for (const branch of branches) {
			const match = { ...base, ...chainMatch(branch.tcp) };
			const key = JSON.stringify(match);
			if (taken.has(key)) continue;
			taken.add(key);
			chains.push({
				name: `${rule.origin.namespace}/${rule.origin.name}/${branch.index}`,
				filterChainMatch: match,
				filters: [ruleFilter(statPrefix, rule)],
			});
		}
	}
	if (!taken.has(JSON.stringify(base))) {
		chains.push({
			name: "default",
			filterChainMatch: base,
			filters: [tcpProxy(statPrefix, wholeCluster)],
		});
	}
	return chains;
}

/**
 * The chains of a port of which the first bytes tell what it speaks: HTTP goes
 * to one filter, everything else to the TCP chains.
 *
 * Envoy looks at the transport before the application, and never goes back: a
 * plain connection, since some chain asks for plain text, sees only chains that
 * do. So each TCP chain has a twin that asks for it. Likewise subnets come
 * first, so HTTP has a chain for each that the TCP chains ask for.
 */
export function sniffedFilterChains(
	http: { readonly name: string; readonly filter: NetworkFilter },
	tcpChains: readonly FilterChainInit[],
): FilterChainInit[] {
	const chains: FilterChainInit[] = [];
	const taken = new Set<string>();
	for (const { filterChainMatch = {} } of tcpChains) {
		const { destinationPort, prefixRanges } = filterChainMatch;
		const key = JSON.stringify(prefixRanges);
		if (taken.has(key)) continue;
		taken.add(key);
		chains.push({
			name: taken.size === 1 ? http.name : `${http.name} ${taken.size}`,
			filterChainMatch: {
				...(destinationPort === undefined ? undefined : { destinationPort }),
				...(prefixRanges === undefined ? undefined : { prefixRanges }),
				...plainHttp,
			},
			filters: [http.filter],
		});
	}
	return [
		...chains,
		...tcpChains.flatMap((chain) =>
			chain.filterChainMatch?.transportProtocol === undefined
				? [chain, plainTwin(chain)]
				: [chain],
		),
	];
}

function plainTwin(chain: FilterChainInit): FilterChainInit {
	return {
		...chain,
		name: `${chain.name} plain`,
		filterChainMatch: {
			...chain.filterChainMatch,
			transportProtocol: plainHttp.transportProtocol,
		},
	};
}

/** True when choosing among the rules' chains takes a look at the TLS hello. */
export function needsServerName(rules: readonly CallerRule[]): boolean {
	return rules.some(({ branches }) =>
		branches.some((branch) => (branch.tcp?.sni.length ?? 0) > 0),
	);
}

function ruleFilter(statPrefix: string, rule: Rule): NetworkFilter {
	return rule.action.kind === "forward"
		? weightedTcpProxy(statPrefix, rule.action.targets)
		: tcpProxy(statPrefix, unresolvedCluster);
}

function chainMatch(tcp: TcpMatch | undefined): ChainMatch {
	if (tcp === undefined) return {};
	return {
		...(tcp.destinationSubnets.length > 0
			? { prefixRanges: tcp.destinationSubnets.map(cidrRange) }
			: undefined),
		...(tcp.sourceSubnets.length > 0
			? { sourcePrefixRanges: tcp.sourceSubnets.map(cidrRange) }
			: undefined),
		...(tcp.sni.length > 0
			? { serverNames: [...tcp.sni], transportProtocol: "tls" }
			: undefined),
	};
}

/** `10.0.0.0/8`, or an address alone, as Envoy's range. */
export function cidrRange(cidr: string): Init<typeof CidrRangeSchema> {
	const [address = "", bits] = cidr.split("/");
	return {
		addressPrefix: address,
		prefixLen:
			bits === undefined ? (address.includes(":") ? 128 : 32) : Number(bits),
	};
}
