import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type {
	RouteAction_HashPolicy as HashPolicy,
	RetryPolicy,
	Route,
	RouteAction,
	VirtualHost,
} from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import {
	type HTTPFault,
	HTTPFaultSchema,
} from "../../gen/envoy/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import {
	FractionalPercent_DenominatorType as Denominator,
	type FractionalPercent,
} from "../../gen/envoy/envoy/type/v3/percent_pb.js";
import { filterNames } from "../generate/filter-order.ts";
import { readRetryOn } from "../generate/retry-conditions.ts";
import { changeHeaders, headerSteps } from "./change-headers.ts";
import { durationMs } from "./duration-ms.ts";
import type {
	FaultStep,
	Forward,
	Outcome,
	RetriesStep,
	SeenRequest,
	TargetStep,
} from "./explanation.ts";
import type { HttpRequest } from "./http-request.ts";
import type { ProxyConfig } from "./proxy-config.ts";
import { readCluster } from "./read-cluster.ts";
import { redirectLocation, redirectStatus } from "./redirect-location.ts";
import { rewritePath } from "./rewrite-path.ts";

/** What becomes of a request that a route has taken. */
export function readAction(
	config: ProxyConfig,
	request: HttpRequest,
	route: Route,
	virtualHost: VirtualHost,
): Outcome {
	const { action } = route;
	switch (action.case) {
		case "route":
			return forward(config, request, {
				route,
				action: action.value,
				virtualHost,
			});
		case "redirect":
			return {
				kind: "redirect",
				status: redirectStatus(action.value),
				location: redirectLocation(request, route.match, action.value),
			};
		case "directResponse": {
			const { status, body } = action.value;
			return {
				kind: "respond",
				status,
				body:
					body?.specifier.case === "inlineString" ? body.specifier.value : "",
			};
		}
		case "filterAction":
		case "nonForwardingAction":
		case undefined:
			return {
				kind: "refused",
				reason: "The route sends its requests nowhere.",
			};
	}
}

interface TakenRoute {
	readonly route: Route;
	readonly action: RouteAction;
	readonly virtualHost: VirtualHost;
}

function forward(
	config: ProxyConfig,
	request: HttpRequest,
	taken: TakenRoute,
): Forward {
	const { route, action, virtualHost } = taken;
	const retries = action.retryPolicy ?? virtualHost.retryPolicy;
	const fault = faultOf(route);
	return {
		kind: "forward",
		targets: targetsOf(config, request, taken),
		timeoutMs:
			action.timeout === undefined ? 15_000 : durationMs(action.timeout),
		idleTimeoutMs: action.idleTimeout && durationMs(action.idleTimeout),
		retries: retries && retriesOf(retries),
		fault: fault && faultStep(fault),
		mirrors: action.requestMirrorPolicies.map(
			({ cluster, runtimeFraction }) => ({
				cluster,
				percent: percentOf(runtimeFraction?.defaultValue),
			}),
		),
		affinity: action.hashPolicy.map(affinityOf),
		cors: route.typedPerFilterConfig[filterNames.cors] !== undefined,
		responseHeaders: headerSteps(
			route.responseHeadersToAdd,
			route.responseHeadersToRemove,
		),
	};
}

function targetsOf(
	config: ProxyConfig,
	request: HttpRequest,
	{ route, action }: TakenRoute,
): readonly TargetStep[] {
	const changed = changedRequest(request, route, action);
	const ofRoute = headerSteps(
		route.requestHeadersToAdd,
		route.requestHeadersToRemove,
	);
	const specifier = action.clusterSpecifier;
	if (specifier.case === "cluster") {
		return [
			{
				...readCluster(config, specifier.value),
				percent: 100,
				request: {
					...changed,
					headers: changeHeaders(changed.headers, ofRoute),
				},
			},
		];
	}
	if (specifier.case !== "weightedClusters") return [];
	const { clusters } = specifier.value;
	const total = clusters.reduce((sum, { weight }) => sum + (weight ?? 0), 0);
	return clusters.map((cluster) => {
		// What a cluster's share changes is changed first, so the route has the last word.
		const own = headerSteps(
			cluster.requestHeadersToAdd,
			cluster.requestHeadersToRemove,
		);
		return {
			...readCluster(config, cluster.name),
			percent: total === 0 ? 0 : ((cluster.weight ?? 0) * 100) / total,
			request: {
				...changed,
				headers: changeHeaders(changeHeaders(changed.headers, own), ofRoute),
			},
		};
	});
}

function changedRequest(
	{ method, authority, path, headers }: HttpRequest,
	{ match }: Route,
	action: RouteAction,
): SeenRequest {
	const host = action.hostRewriteSpecifier;
	return {
		method,
		authority: host.case === "hostRewriteLiteral" ? host.value : authority,
		path: rewritePath(path, match, action),
		headers,
	};
}

function retriesOf(policy: RetryPolicy): RetriesStep | undefined {
	const attempts = policy.numRetries ?? 1;
	if (attempts === 0 || policy.retryOn === "") return undefined;
	return {
		attempts,
		on: readRetryOn(policy.retryOn),
		perTryTimeoutMs: policy.perTryTimeout && durationMs(policy.perTryTimeout),
	};
}

function faultOf(route: Route): HTTPFault | undefined {
	const packed = route.typedPerFilterConfig[filterNames.fault];
	return packed && anyUnpack(packed, HTTPFaultSchema);
}

function faultStep({ delay, abort }: HTTPFault): FaultStep {
	const fixed = delay?.faultDelaySecifier;
	return {
		delay:
			fixed?.case === "fixedDelay"
				? { percent: percentOf(delay?.percentage), ms: durationMs(fixed.value) }
				: undefined,
		abort: abort && {
			percent: percentOf(abort.percentage),
			status:
				abort.errorType.case === "grpcStatus"
					? `gRPC status ${abort.errorType.value}`
					: String(abort.errorType.value ?? ""),
		},
	};
}

const parts = {
	[Denominator.HUNDRED]: 1,
	[Denominator.TEN_THOUSAND]: 100,
	[Denominator.MILLION]: 10_000,
};

function percentOf(fraction: FractionalPercent | undefined): number {
	return fraction === undefined
		? 100
		: fraction.numerator / parts[fraction.denominator];
}

function affinityOf({ policySpecifier }: HashPolicy): string {
	switch (policySpecifier.case) {
		case "header":
			return `header ${policySpecifier.value.headerName}`;
		case "cookie":
			return `cookie ${policySpecifier.value.name}`;
		case "queryParameter":
			return `query parameter ${policySpecifier.value.name}`;
		case "connectionProperties":
			return "the client's address";
		case "filterState":
		case undefined:
			return "something else";
	}
}
