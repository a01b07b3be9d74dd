import type { KeyObject } from "node:crypto";
import { type GrpcStatusCode, grpcStatus } from "../../lib/grpc-error.ts";
import type { Peer } from "../../lib/handler.ts";
import type { NodeClaims } from "../parse-node.ts";
import type { Proxy } from "../proxy.ts";
import { verifyToken } from "../proxy-token.ts";

/** Why a proxy is turned away: a sentence without secrets, and the status to end its stream with. */
export interface Refusal {
	readonly refusal: string;
	readonly status: Exclude<GrpcStatusCode, 0>;
}

/** Who a proxy has proven to be. */
export interface Authenticated {
	readonly proxy: Proxy;
	/**
	 * Watches whether the proof holds, as long as the stream is open: calls `end`
	 * once when it does not. The returned function ends the watching. Absent for
	 * a proof that holds until it is asked for again.
	 */
	readonly watch?: (end: (refusal: Refusal) => void) => () => void;
}

/** Who a proxy has proven to be, or why it is turned away. */
export type Authentication = Authenticated | Refusal;

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
