import { createSecretKey } from "node:crypto";
import { expect } from "chai";
import { grpcStatus } from "../../lib/grpc-error.ts";
import type { NodeClaims } from "../parse-node.ts";
import type { Proxy } from "../proxy.ts";
import { mintToken } from "../proxy-token.ts";
import { authenticate } from "./authenticate.ts";

const key = createSecretKey(Buffer.alloc(32, 1));
const workload = "default/reviews-v1";

function tokenFor(of: string, kind: Proxy["kind"], expiresMs = 1_000): string {
	return mintToken({ workload: of, kind, expiresMs }, key);
}

function claimsOf(kind: Proxy["kind"], token?: string): NodeClaims {
	return {
		proxy: {
			workload,
			id: `${kind}~${workload}`,
			kind,
			attachment: "explicit",
			addresses: { inbound: [], tcp: [], gateway: [] },
		},
		token,
	};
}

describe("authenticate", () => {
	const good = tokenFor(workload, "sidecar");
	const goodGrpc = tokenFor(workload, "grpc");
	const cases = [
		{ name: "accepts a proxy with its own token", header: good },
		{
			name: "refuses a proxy without a token",
			want: grpcStatus.unauthenticated,
		},
		{
			name: "refuses a proxy with the token of another workload",
			header: tokenFor("default/ratings-v1", "sidecar"),
			want: grpcStatus.permissionDenied,
		},
		{
			name: "refuses a proxy with the token of another kind",
			header: tokenFor(workload, "gateway"),
			want: grpcStatus.permissionDenied,
		},
		{
			name: "refuses a token that expired",
			header: tokenFor(workload, "sidecar", 499),
			want: grpcStatus.unauthenticated,
		},
		{
			name: "refuses a token that nobody signed",
			header: "abc",
			want: grpcStatus.unauthenticated,
		},
		{
			name: "accepts a gRPC client with its token in the metadata",
			claims: claimsOf("grpc", goodGrpc),
		},
		{
			name: "accepts a gRPC client with its token in the header",
			claims: claimsOf("grpc"),
			header: goodGrpc,
		},
		{
			name: "refuses an Envoy with its token in the metadata only",
			claims: claimsOf("sidecar", good),
			want: grpcStatus.unauthenticated,
		},
		{
			name: "refuses a good token in the metadata beside a bad one in the header",
			claims: claimsOf("grpc", goodGrpc),
			header: "abc",
			want: grpcStatus.unauthenticated,
		},
	] as const;
	for (const { name, ...given } of cases) {
		it(name, () => {
			const bearerToken = "header" in given ? given.header : undefined;
			const claims = "claims" in given ? given.claims : claimsOf("sidecar");
			const answer = authenticate({
				peer: { address: "127.0.0.1:1", bearerToken },
				claims,
				key,
				nowMs: 500,
			});
			if ("want" in given) {
				expect(answer).to.have.property("status", given.want);
				if (bearerToken !== undefined) {
					expect(JSON.stringify(answer)).not.to.contain(bearerToken);
				}
			} else {
				expect(answer).to.deep.equal({ proxy: claims.proxy });
			}
		});
	}
});
