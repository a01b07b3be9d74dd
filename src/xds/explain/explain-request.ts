import type { TcpProxy } from "../../gen/envoy/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { type ChosenChain, chooseFilterChain } from "./choose-filter-chain.ts";
import {
	type Attachment,
	type ChosenListener,
	chooseListener,
} from "./choose-listener.ts";
import { explainHttp, originOf } from "./explain-http.ts";
import type {
	Explanation,
	Forward,
	Outcome,
	SeenRequest,
} from "./explanation.ts";
import { type HttpRequest, seenRequest } from "./http-request.ts";
import { printAddress } from "./print-address.ts";
import type { ProxyConfig } from "./proxy-config.ts";
import { canAnswer, readCluster } from "./read-cluster.ts";
import { readFilter } from "./read-filter.ts";
import type { Target } from "./target.ts";

/** A request that a client sends, and how it reaches the proxy. */
export interface Asked {
	readonly target: Target;
	readonly method: string;
	/** As the client gives them. */
	readonly headers: readonly (readonly [name: string, value: string])[];
	readonly attachment: Attachment;
}

/**
 * Walks one request through the configuration of a proxy, as Envoy would:
 * listener, filter chain, virtual host, routes in order, clusters, endpoints.
 * Nothing but the proxy's own configuration is asked.
 */
export function explainRequest(config: ProxyConfig, asked: Asked): Explanation {
	const request = requestOf(asked);
	const notes = notesOf(asked);
	const nothing = {
		request: seenRequest(request),
		listener: undefined,
		virtualHost: undefined,
		tried: [],
		untried: [],
		answered: false,
		notes,
	};
	const chosen = chooseListener(config, asked.target, asked.attachment);
	if (!chosen.ok)
		return { ...nothing, outcome: { kind: "refused", reason: chosen.reason } };
	const { listener, connection } = chosen;
	const chains = chooseFilterChain(listener.message, connection);
	const filter = chains.chain && readFilter(chains.chain);
	const step = {
		name: listener.message.name,
		address: printAddress(listener.message.address),
		filterChain: chains.chain?.name ?? "",
		protocol: filter?.kind ?? "tcp",
		origins: listener.origins,
	} as const;
	if (filter === undefined)
		return {
			...nothing,
			listener: step,
			outcome: {
				kind: "refused",
				reason:
					"No filter chain of the listener takes the connection, so it is closed.",
			},
		};
	if (filter.kind === "tcp") {
		const outcome = forwardBytes(config, filter.proxy, seenRequest(request));
		return {
			...nothing,
			listener: step,
			tried: triedChains(chains, chosen),
			outcome,
			answered: isAnswered(outcome, []),
		};
	}
	const http = explainHttp(config, filter.manager, request);
	return {
		...http,
		listener: step,
		answered: isAnswered(http.outcome, http.tried),
		notes,
	};
}

function requestOf({
	target,
	method,
	headers,
	attachment,
}: Asked): HttpRequest {
	const lower = headers.map(
		([name, value]) => [name.toLowerCase(), value] as const,
	);
	const host = lower.find(([name]) => name === "host")?.[1];
	const others = lower.filter(([name]) => name !== "host");
	if (target.scheme === "tcp")
		return {
			method: "",
			scheme: "",
			authority: `${target.host}:${target.port}`,
			path: "",
			headers: [],
		};
	if (attachment === "explicit" && target.scheme === "https")
		return {
			method: "CONNECT",
			scheme: "",
			authority: `${target.host}:${target.port}`,
			path: "",
			headers: [],
		};
	return {
		method,
		scheme: target.scheme,
		// A forward proxy takes the authority from the URL, whatever `host` says (RFC 9112, 3.2.2).
		authority:
			attachment === "explicit" ? target.authority : (host ?? target.authority),
		path: target.path,
		headers: others,
	};
}

function notesOf({ target, attachment }: Asked): readonly string[] {
	if (target.scheme !== "https") return [];
	switch (attachment) {
		case "explicit":
			return [
				"Clients tunnel https through a forward proxy: the proxy sees CONNECT and the host, and nothing of the request inside.",
			];
		case "captured":
			return [
				"The request is inside TLS, so the proxy sees the server name and nothing else of it.",
			];
		case "gateway":
			return [];
	}
}

function forwardBytes(
	config: ProxyConfig,
	proxy: TcpProxy,
	request: SeenRequest,
): Forward {
	const specifier = proxy.clusterSpecifier;
	const clusters =
		specifier.case === "cluster"
			? [{ name: specifier.value, weight: 1 }]
			: specifier.case === "weightedClusters"
				? specifier.value.clusters
				: [];
	const total = clusters.reduce((sum, { weight }) => sum + weight, 0);
	return {
		kind: "forward",
		targets: clusters.map(({ name, weight }) => ({
			...readCluster(config, name),
			percent: (weight * 100) / total,
			request,
		})),
		timeoutMs: 0,
		idleTimeoutMs: undefined,
		retries: undefined,
		fault: undefined,
		mirrors: [],
		affinity: [],
		cors: false,
		responseHeaders: [],
	};
}

function triedChains(
	{ chain, tries }: ChosenChain,
	chosen: Extract<ChosenListener, { ok: true }>,
): Explanation["tried"] {
	return tries.map((one) => ({
		name: one.chain.name,
		...originOf(one.chain.name, chosen.listener.origins),
		taken: one.chain === chain,
		conditions: one.conditions,
	}));
}

function isAnswered(outcome: Outcome, tried: Explanation["tried"]): boolean {
	switch (outcome.kind) {
		case "forward":
			return (
				outcome.fault?.abort?.percent === 100 ||
				outcome.targets.some(
					(target) => target.percent > 0 && canAnswer(target),
				)
			);
		case "redirect":
			return true;
		case "respond":
			// What no rule says is said to requests that nobody wants.
			return tried.at(-1)?.origin !== undefined;
		case "refused":
			return false;
	}
}
