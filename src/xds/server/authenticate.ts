import type { KeyObject } from "node:crypto";
import { type GrpcStatusCode, grpcStatus } from "../../lib/grpc-error.ts";
import type { Peer } from "../../lib/handler.ts";
import type { NodeClaims } from "../parse-node.ts";
import type { Proxy } from "../proxy.ts";
import { verifyToken } from "../proxy-token.ts";

/** Who a proxy has proven to be, or why it is turned away: with this status, and a sentence without secrets. */
export type Authentication =
	| { readonly proxy: Proxy }
	| {
			readonly refusal: string;
			readonly status: Exclude<GrpcStatusCode, 0>;
	  };

/**
 * Decides whether a proxy is who it claims to be.
 *
 * The token says which workload and kind its bearer is; what the proxy claims
 * must agree. The token comes in the `authorization` header; only clients of
 * kind `grpc`, which cannot send headers, may have it in their metadata.
 */
export function authenticate(asked: {
	readonly peer: Peer;
	readonly claims: NodeClaims;
	readonly key: KeyObject;
	readonly nowMs: number;
}): Authentication {
	const { peer, claims, key, nowMs } = asked;
	const { proxy } = claims;
	const token =
		peer.bearerToken ?? (proxy.kind === "grpc" ? claims.token : undefined);
	if (token === undefined) {
		return {
			status: grpcStatus.unauthenticated,
			refusal:
				"The proxy sends no token. Make its files with `lateen bootstrap`.",
		};
	}
	const verdict = verifyToken(token, key, nowMs);
	if ("refusal" in verdict) {
		return { status: grpcStatus.unauthenticated, refusal: verdict.refusal };
	}
	if (
		verdict.claims.workload !== proxy.workload ||
		verdict.claims.kind !== proxy.kind
	) {
		return {
			status: grpcStatus.permissionDenied,
			refusal: `The token is for the ${verdict.claims.kind} of ${verdict.claims.workload}, but the proxy claims to be the ${proxy.kind} of ${proxy.workload}.`,
		};
	}
	return { proxy };
}
