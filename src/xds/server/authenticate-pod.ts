/*
 * In a Kubernetes cluster a proxy proves who it is by the ServiceAccount token of
 * its pod:
 *
 *   token ──▶ whose?  (API server)  ──┐
 *   node  ──▶ which pod it claims   ──┼──▶ all the same pod, of the same uid
 *   pods  ──▶ is there such a pod?  ──┘
 *
 * Nothing that the node says is taken for granted: labels and ServiceAccount come
 * from the Pod. As long as the stream is open, the pod must be there, and the
 * token is looked at again now and then until it expires. That it expires ends no
 * stream: whoever is at the other end is still the one who proved it, and every
 * proxy that comes back is news for the status of every object.
 */
import type { Clock } from "../../lib/clock.ts";
import { grpcStatus } from "../../lib/grpc-error.ts";
import type { Peer } from "../../lib/handler.ts";
import { parseNodeId } from "../node-id.ts";
import type { NodeClaims } from "../parse-node.ts";
import type { Proxy } from "../proxy.ts";
import type { Authentication, Refusal } from "./authenticate.ts";
import type { PodDirectory } from "./pod-directory.ts";
import type { ReadToken, TokenOwner, TokenReader } from "./token-reader.ts";

/** The label of a pod that says which gateway of its namespace it is a part of. */
export const gatewayLabel = "lateen.dev/gateway";

/** What decides about proxies in a cluster. */
export interface PodAuthenticatorOptions {
	readonly tokens: TokenReader;
	readonly pods: PodDirectory;
	readonly clock: Clock;
	/** Between 0 and 1, to spread the times at which tokens are looked at again. */
	readonly random: () => number;
	/** Milliseconds after which the token of an open stream is looked at again; 10 min by default. */
	readonly recheckMs?: number;
	/** Milliseconds that a stream may stay open once its token has expired; a day by default. */
	readonly staleMs?: number;
}

/**
 * A deleted pod ends its streams at once, as pods are watched. This is for what
 * is not watched, such as a deleted ServiceAccount: 1,000 proxies make 100
 * requests in a minute, until their tokens expire.
 */
const defaultRecheckMs = 600_000;

/** So that no proof is older than a day and the life of a token: whoever stole a token is rid of then, too. */
const defaultStaleMs = 24 * 3_600_000;

/** When the API server could not be asked. */
const soonMs = 30_000;

/** Clocks may differ: what is refused so near to its end may have expired. */
const marginMs = 60_000;

const stale = unauthenticated(
	"The token of this stream expired long ago. Open a new one with the present token of the pod.",
);

interface Watched {
	readonly proxy: Proxy;
	readonly owner: TokenOwner;
	readonly end: (refusal: Refusal) => void;
}

/** Decides whether proxies are the pods that they claim to be. */
export class PodAuthenticator {
	readonly #options: PodAuthenticatorOptions;
	/** Of all open streams; one subscription serves them all. */
	readonly #watched = new Set<Watched>();
	#unsubscribe: (() => void) | undefined;

	constructor(options: PodAuthenticatorOptions) {
		this.#options = options;
	}

	/**
	 * Decides about one stream.
	 *
	 * The token comes in the `authorization` header; only clients of kind `grpc`,
	 * some of which cannot send headers, may have it in their metadata. A proxy
	 * that cannot be judged now is told so by UNAVAILABLE, and comes back.
	 */
	async authenticate(peer: Peer, claims: NodeClaims): Promise<Authentication> {
		const { proxy } = claims;
		const token =
			peer.bearerToken ?? (proxy.kind === "grpc" ? claims.token : undefined);
		if (token === undefined) {
			return unauthenticated(
				"The proxy sends no token. Make its files with `lateen bootstrap --token-file`, and mount a projected ServiceAccount token there.",
			);
		}
		const read = await this.#options.tokens.review(token);
		if (!("owner" in read)) return refusalOf(read);
		const refusal =
			refuseClaim(proxy, read.owner) ??
			this.#refuseOwner(read.owner) ??
			this.#refuseGateway(proxy, read.owner);
		if (refusal !== undefined) return refusal;
		const { owner, expiresMs } = read;
		return {
			proxy,
			watch: (end) => this.#watch({ proxy, token, owner, expiresMs }, end),
		};
	}

	/** Why the pod of the token is not one that is known, or undefined when it is. */
	#refuseOwner(owner: TokenOwner): Refusal | undefined {
		const pod = this.#options.pods.find(keyOf(owner));
		if (pod === undefined) {
			return {
				status: grpcStatus.unavailable,
				refusal: `The pod ${keyOf(owner)} of the token has not been seen yet, or is gone. Try again.`,
			};
		}
		return pod.uid === owner.podUid ? undefined : replaced(owner);
	}

	/** A gateway is made of pods that say so by their label, or of the one pod of its name. */
	#refuseGateway(proxy: Proxy, owner: TokenOwner): Refusal | undefined {
		if (proxy.kind !== "gateway") return undefined;
		const name = nameOf(proxy.workload);
		const label = this.#options.pods.find(keyOf(owner))?.labels[gatewayLabel];
		if (label === name || owner.podName === name) return undefined;
		return {
			status: grpcStatus.permissionDenied,
			refusal: `The proxy claims to be the gateway ${proxy.workload}, but its pod ${keyOf(owner)} does not say so. Give the pod the label ${gatewayLabel}: ${name}.`,
		};
	}

	#watch(
		proven: {
			readonly proxy: Proxy;
			readonly token: string;
			readonly owner: TokenOwner;
			readonly expiresMs: number | undefined;
		},
		end: (refusal: Refusal) => void,
	): () => void {
		const {
			clock,
			tokens,
			recheckMs = defaultRecheckMs,
			staleMs = defaultStaleMs,
		} = this.#options;
		let isOpen = true;
		let cancel: (() => void) | undefined;
		const stop = (): void => {
			isOpen = false;
			cancel?.();
			this.#unwatch(watched);
		};
		const watched: Watched = {
			proxy: proven.proxy,
			owner: proven.owner,
			end: (refusal) => {
				if (!isOpen) return;
				stop();
				end(refusal);
			},
		};
		const lookAgain = (
			expiresMs: number | undefined,
			atMostMs: number,
		): void => {
			const leftMs =
				expiresMs === undefined
					? Number.POSITIVE_INFINITY
					: expiresMs - marginMs - clock.nowMs();
			cancel =
				leftMs > 0
					? clock.after(Math.min(leftMs, atMostMs), () => void look(expiresMs))
					: clock.after(this.#spread(staleMs), () => watched.end(stale));
		};
		const look = async (expiresMs: number | undefined): Promise<void> => {
			const read = await tokens.review(proven.token);
			if (!isOpen) return;
			if ("refusal" in read) watched.end(refusalOf(read));
			else if ("owner" in read) {
				lookAgain(read.expiresMs, this.#spread(recheckMs));
			} else lookAgain(expiresMs, soonMs);
		};
		this.#add(watched);
		lookAgain(proven.expiresMs, this.#spread(recheckMs));
		// Pods may have changed since the proxy was let in.
		const refusal = this.#refuseOwner(proven.owner);
		if (refusal !== undefined) queueMicrotask(() => watched.end(refusal));
		return stop;
	}

	/** Around that time, so that proxies which came together are not looked at together. */
	#spread(ms: number): number {
		return ms * (0.8 + 0.4 * this.#options.random());
	}

	#add(watched: Watched): void {
		this.#watched.add(watched);
		this.#unsubscribe ??= this.#options.pods.subscribe(() => this.#look());
	}

	#unwatch(watched: Watched): void {
		this.#watched.delete(watched);
		if (this.#watched.size > 0) return;
		this.#unsubscribe?.();
		this.#unsubscribe = undefined;
	}

	#look(): void {
		for (const { proxy, owner, end } of [...this.#watched]) {
			const refusal =
				this.#options.pods.find(keyOf(owner)) === undefined
					? gone(owner)
					: (this.#refuseOwner(owner) ?? this.#refuseGateway(proxy, owner));
			if (refusal !== undefined) end(refusal);
		}
	}
}

/** Why the claimed node is not the token's pod, or undefined when it is. */
function refuseClaim(proxy: Proxy, owner: TokenOwner): Refusal | undefined {
	const suffix = parseNodeId(proxy.id)?.suffix ?? "";
	const claimed =
		proxy.kind === "gateway" && suffix !== ""
			? `${proxy.workload.slice(0, proxy.workload.indexOf("/"))}/${suffix}`
			: proxy.workload;
	if (claimed === keyOf(owner)) return undefined;
	return {
		status: grpcStatus.permissionDenied,
		refusal: `The token is of the pod ${keyOf(owner)}, but the proxy claims to be the ${proxy.kind} of ${claimed}. Start it with the bootstrap and the token of one and the same pod.`,
	};
}

function refusalOf(
	read: Exclude<ReadToken, { readonly owner: TokenOwner }>,
): Refusal {
	return "refusal" in read
		? unauthenticated(read.refusal)
		: { status: grpcStatus.unavailable, refusal: read.unavailable };
}

function gone(owner: TokenOwner): Refusal {
	return unauthenticated(
		`The pod ${keyOf(owner)} is gone, and its token with it.`,
	);
}

function replaced(owner: TokenOwner): Refusal {
	return unauthenticated(
		`The token is of an earlier pod with the name ${keyOf(owner)}. Give the proxy the present token of its pod.`,
	);
}

function unauthenticated(refusal: string): Refusal {
	return { status: grpcStatus.unauthenticated, refusal };
}

function keyOf({ namespace, podName }: TokenOwner): string {
	return `${namespace}/${podName}`;
}

function nameOf(workload: string): string {
	return workload.slice(workload.indexOf("/") + 1);
}
