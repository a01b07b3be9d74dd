import type { Proxy } from "../proxy.ts";

/** What a proxy says about itself in its first request. None of it is proven, and none of it is logged. */
export interface NodeClaims {
	/** `node.id`. */
	readonly id: string;
	/** `node.cluster`. */
	readonly cluster: string;
	/** `node.metadata`, as JSON. */
	readonly metadata: Readonly<Record<string, unknown>>;
	/** `node.user_agent_name`: `envoy`, or a name of gRPC's clients. */
	readonly userAgent: string;
}

/** Whether a proxy is who it says it is. */
export type Authentication =
	| { readonly op: "accepted"; readonly proxy: Proxy }
	| {
			readonly op: "refused";
			/** `unauthenticated`: no usable proof; `denied`: proof of somebody else. */
			readonly reason: "unauthenticated" | "denied";
			/** A full sentence for whoever runs the proxy; holds no secret. */
			readonly message: string;
	  };
