import type {
	FilterChain,
	FilterChainMatch,
} from "../../gen/envoy/envoy/config/listener/v3/listener_components_pb.js";
import type { Listener } from "../../gen/envoy/envoy/config/listener/v3/listener_pb.js";
import type { Condition } from "./condition.ts";
import type { Connection } from "./connection.ts";
import { inSubnet } from "./in-subnet.ts";
import { quote } from "./match-string.ts";

/** A filter chain, held against a connection. */
export interface ChainTry {
	readonly chain: FilterChain;
	readonly conditions: readonly Condition[];
}

/** Which chain takes a connection, and what was looked at. */
export interface ChosenChain {
	/** Undefined when none does: the connection is closed. */
	readonly chain: FilterChain | undefined;
	readonly tries: readonly ChainTry[];
}

/**
 * The filter chain that takes the connection.
 *
 * Envoy looks at one fact after the other, keeps the chains that say most about
 * it, and never goes back; the default chain is for what is left over. See the
 * documentation of `FilterChainMatch`.
 */
export function chooseFilterChain(
	listener: Listener,
	connection: Connection,
): ChosenChain {
	const tries = listener.filterChains.map((chain) => ({
		chain,
		conditions: conditionsOf(chain.filterChainMatch, connection),
	}));
	let left: readonly FilterChain[] = listener.filterChains;
	for (const rank of ranks) {
		const ranked = left.map((chain) => ({
			chain,
			rank:
				chain.filterChainMatch === undefined
					? 0
					: rank(chain.filterChainMatch, connection),
		}));
		const best = Math.max(...ranked.map((one) => one.rank));
		left =
			best < 0
				? []
				: ranked.filter((one) => one.rank === best).map(({ chain }) => chain);
	}
	return { chain: left[0] ?? listener.defaultFilterChain, tries };
}

/** How much a chain says about one fact; 0 when nothing, -1 when something else. */
type Rank = (match: FilterChainMatch, connection: Connection) => number;

const ranks: readonly Rank[] = [
	({ destinationPort }, { port }) =>
		destinationPort === undefined ? 0 : destinationPort === port ? 1 : -1,
	({ prefixRanges }, { destination }) => {
		if (prefixRanges.length === 0) return 0;
		if (destination === undefined) return -1;
		const lengths = prefixRanges
			.filter((range) => inSubnet(destination, range))
			.map(({ prefixLen }) => (prefixLen ?? 0) + 1);
		return Math.max(-1, ...lengths);
	},
	({ serverNames }, { serverName }) => {
		if (serverNames.length === 0) return 0;
		return Math.max(...serverNames.map((name) => nameRank(name, serverName)));
	},
	({ transportProtocol }, { transport }) =>
		transportProtocol === "" ? 0 : transportProtocol === transport ? 1 : -1,
	({ applicationProtocols }, connection) => {
		if (applicationProtocols.length === 0) return 0;
		return applicationProtocols.some((protocol) =>
			connection.applicationProtocols.includes(protocol),
		)
			? 1
			: -1;
	},
	// Where the client is is not known here: chains for certain sources are not taken.
	({ sourcePrefixRanges }) => (sourcePrefixRanges.length === 0 ? 0 : -1),
];

function nameRank(pattern: string, name: string): number {
	if (pattern === name) return 100_000;
	return pattern.startsWith("*.") && name.endsWith(pattern.slice(1))
		? pattern.length
		: -1;
}

function conditionsOf(
	match: FilterChainMatch | undefined,
	connection: Connection,
): readonly Condition[] {
	if (match === undefined) return [];
	const { destination, port, serverName, transport, applicationProtocols } =
		connection;
	const [ofPort, ofSubnet, ofName, ofTransport, ofApplication] = ranks.map(
		(rank) => rank(match, connection) >= 0,
	);
	const all: readonly (Condition & { readonly asked: boolean })[] = [
		{
			asked: match.destinationPort !== undefined,
			asks: `the port is ${match.destinationPort}`,
			has: String(port),
			holds: ofPort ?? false,
		},
		{
			asked: match.prefixRanges.length > 0,
			asks: `the destination is in ${printRanges(match.prefixRanges)}`,
			has: destination,
			holds: ofSubnet ?? false,
		},
		{
			asked: match.serverNames.length > 0,
			asks: `the TLS server name is ${match.serverNames.map(quote).join(" or ")}`,
			has: serverName === "" ? undefined : serverName,
			holds: ofName ?? false,
		},
		{
			asked: match.transportProtocol !== "",
			asks:
				match.transportProtocol === "tls"
					? "the connection begins with TLS"
					: "the connection does not begin with TLS",
			has: transport === "tls" ? "TLS" : "plain text",
			holds: ofTransport ?? false,
		},
		{
			asked: match.applicationProtocols.length > 0,
			asks: "the connection speaks HTTP",
			has: applicationProtocols.join(", ") || undefined,
			holds: ofApplication ?? false,
		},
		{
			asked: match.sourcePrefixRanges.length > 0,
			asks: `the client is in ${printRanges(match.sourcePrefixRanges)}`,
			has: undefined,
			holds: false,
		},
	];
	return all
		.filter(({ asked }) => asked)
		.map(({ asks, has, holds }) => ({ asks, has, holds }));
}

function printRanges(
	ranges: readonly {
		readonly addressPrefix: string;
		readonly prefixLen?: number | undefined;
	}[],
): string {
	return ranges
		.map(({ addressPrefix, prefixLen }) => `${addressPrefix}/${prefixLen ?? 0}`)
		.join(" or ");
}
