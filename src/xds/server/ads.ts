import type { StreamHandler } from "../../lib/handler.ts";
import { Proof } from "../proof.ts";
import { DeltaStream } from "../protocol/delta.ts";
import {
	parseDeltaRequest,
	parseOnce,
	parseSotwRequest,
} from "../protocol/parse-request.ts";
import { SotwStream } from "../protocol/sotw.ts";
import {
	type AdsLimits,
	type AdsOptions,
	defaultAdsLimits,
} from "./ads-options.ts";
import { FirstSyncs } from "./first-syncs.ts";
import { serveStream } from "./stream.ts";

/** A gRPC method as `net` serves it: encoded requests in, encoded responses out, each in parts. */
export type AdsMethod = StreamHandler<Uint8Array, readonly Uint8Array[]>;

const service = "/envoy.service.discovery.v3.AggregatedDiscoveryService";

/**
 * The two methods of the aggregated discovery service, by path.
 *
 * A stream ends with INVALID_ARGUMENT for what is no request, UNAUTHENTICATED or
 * PERMISSION_DENIED for a proxy that does not prove who it is, and
 * RESOURCE_EXHAUSTED for one that asks for too much.
 */
export function adsMethods(
	options: AdsOptions,
): ReadonlyMap<string, AdsMethod> {
	const limits: AdsLimits = { ...defaultAdsLimits, ...options.limits };
	/** Types that were asked for in vain; each is reported once. */
	const unserved = new Set<string>();
	const proof = options.proof ?? new Proof();
	const parseDelta = parseOnce(parseDeltaRequest);
	const parseSotw = parseOnce(parseSotwRequest);
	const firstSyncs = new FirstSyncs(options.clock);
	const shared = { options, limits, proof, firstSyncs, unserved };
	return new Map<string, AdsMethod>([
		[
			`${service}/DeltaAggregatedResources`,
			(requests, peer) =>
				serveStream(
					{
						variant: "delta",
						parse: parseDelta,
						begin: (resources, nowMs, isProven) =>
							new DeltaStream(resources, limits, nowMs, isProven),
						take: (state, request, nowMs) => state.request(request, nowMs),
					},
					shared,
					{ requests, peer },
				),
		],
		[
			`${service}/StreamAggregatedResources`,
			(requests, peer) =>
				serveStream(
					{
						variant: "sotw",
						parse: parseSotw,
						begin: (resources, nowMs, isProven) =>
							new SotwStream(resources, limits, nowMs, isProven),
						take: (state, request, nowMs) => state.request(request, nowMs),
					},
					shared,
					{ requests, peer },
				),
		],
	]);
}
