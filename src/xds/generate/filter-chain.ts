import type { CidrRangeSchema } from "../../gen/envoy/envoy/config/core/v3/address_pb.js";
import type {
	FilterChainMatchSchema,
	FilterChainSchema,
} from "../../gen/envoy/envoy/config/listener/v3/listener_components_pb.js";
import type { CallerRule } from "../../mesh/caller.ts";
import type { Rule } from "../../mesh/route.ts";
import {
	anything,
	type ConnectionMatch,
	connectionMatch,
	divideConnections,
} from "./connection-cells.ts";
import type { NetworkFilter } from "./http-connection-manager.ts";
import type { Init } from "./init.ts";
import { plainHttp } from "./listener-filters.ts";
import { unresolvedCluster } from "./names.ts";
import { parseSubnet, type Subnet } from "./subnet.ts";
import { tcpProxy, weightedTcpProxy } from "./tcp-proxy.ts";

/** A filter chain, before encoding. */
export type FilterChainInit = Init<typeof FilterChainSchema>;
type ChainMatch = Init<typeof FilterChainMatchSchema>;

/** Of which connections of a listener the chains are for. */
export interface ChainBase {
	/** An address range with its length: `10.9.0.0/16`. */
	readonly subnet?: string;
	/** Server name of the TLS hello. */
	readonly serverName?: string;
}

/**
 * The filter chains of connections to one TCP port of a service: for each the
 * first rule that it matches.
 *
 * @param base what is true of all of them, on a listener that has others, too.
 */
export function tcpFilterChains(
	statPrefix: string,
	rules: readonly CallerRule[],
	wholeCluster: string,
	base: ChainBase = {},
): FilterChainInit[] {
	const tcpRules = rules.filter(({ rule }) => rule.layer !== "http");
	const choices = tcpRules.flatMap(({ rule, branches }, sameness) => {
		const filter = ruleFilter(statPrefix, rule);
		return branches.map((branch) => ({
			match: branch.tcp === undefined ? anything : connectionMatch(branch.tcp),
			choice: {
				name: `${rule.origin.namespace}/${rule.origin.name}/${branch.index}`,
				filter,
			},
			sameness,
		}));
	});
	const whole = {
		match: anything,
		choice: { name: "default", filter: tcpProxy(statPrefix, wholeCluster) },
		sameness: tcpRules.length,
	};
	const named = new Map<string, number>();
	return divideConnections([...choices, whole], {
		...anything,
		...(base.subnet && { destinations: [parseSubnet(base.subnet)] }),
		...(base.serverName && { serverNames: [base.serverName] }),
	}).map(({ match, choice: { name, filter } }) => {
		const times = (named.get(name) ?? 0) + 1;
		named.set(name, times);
		return {
			name: times === 1 ? name : `${name} (${times})`,
			filterChainMatch: chainMatch(match),
			filters: [filter],
		};
	});
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

function chainMatch(match: ConnectionMatch): ChainMatch {
	const { destinations, serverNames, sources } = match;
	return {
		...(destinations.length > 0
			? { prefixRanges: destinations.map(cidrRange) }
			: undefined),
		...(sources.length > 0
			? { sourcePrefixRanges: sources.map(cidrRange) }
			: undefined),
		...(serverNames.length > 0
			? { serverNames: [...serverNames], transportProtocol: "tls" }
			: undefined),
	};
}

function cidrRange({ address, prefix }: Subnet): Init<typeof CidrRangeSchema> {
	return { addressPrefix: address, prefixLen: prefix.length };
}
