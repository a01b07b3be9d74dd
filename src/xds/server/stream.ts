// One stream from its first request to its end. Requests are taken as they
// come, beside the writing of responses, so that a proxy that does not read is
// still understood; what it means stands in `protocol/`.

import {
	GrpcError,
	type GrpcStatusCode,
	grpcStatus,
} from "../../lib/grpc-error.ts";
import type { Peer } from "../../lib/handler.ts";
import { parseNode } from "../parse-node.ts";
import { emptyResponse } from "../protocol/frames.ts";
import type { ParsedRequest } from "../protocol/parse-request.ts";
import type { RequestOutcome, StreamState } from "../protocol/stream-state.ts";
import type { Proxy } from "../proxy.ts";
import type { ProxyResources } from "../proxy-resources.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";
import type { AdsLimits, AdsOptions } from "./ads-options.ts";
import type {
	ConnectedProxy,
	LastRejection,
	TypeStatus,
} from "./connected-proxies.ts";
import { Wakeup } from "./wakeup.ts";

/** What differs between the two kinds of stream. */
export interface StreamVariant<State extends StreamState, Request> {
	readonly variant: "delta" | "sotw";
	parse(bytes: Uint8Array): ParsedRequest<Request> | undefined;
	begin(resources: ProxyResources, nowMs: number): State;
	take(state: State, request: Request, nowMs: number): RequestOutcome;
}

/** What all streams of one service share. */
export interface SharedByStreams {
	readonly options: AdsOptions;
	readonly limits: AdsLimits;
	/** Types that were asked for in vain; each is reported once. */
	readonly unserved: Set<string>;
}

/** One call, as `net` hands it over. */
export interface StreamCall {
	readonly requests: AsyncIterable<Uint8Array>;
	readonly peer: Peer;
	readonly signal: AbortSignal;
}

/** A stream that asks for more different types than exist is answered no more. */
const maxUnservedTypes = 16;

/** Names of a rejected response that are logged. */
const loggedNames = 10;

/** Serves one stream; ends when the proxy ends it, fails with a `GrpcError` when the proxy is at fault. */
export async function* serveStream<State extends StreamState, Request>(
	kind: StreamVariant<State, Request>,
	{ options, limits, unserved }: SharedByStreams,
	{ requests, peer }: StreamCall,
): AsyncGenerator<readonly Uint8Array[], void, undefined> {
	const { clock, connected, figures } = options;
	const iterator = requests[Symbol.asyncIterator]();
	const opening = await iterator.next();
	if (opening.done === true) return;
	const first = parsed(kind, opening.value);
	const proxy = authenticated(options, peer, first);
	if (connected.streamsOf(proxy) >= limits.maxStreamsPerProxy) {
		throw new GrpcError(
			grpcStatus.resourceExhausted,
			`The proxy ${proxy.id} has ${limits.maxStreamsPerProxy} open streams already. Give every process its own node id, or wait for its old streams to end.`,
		);
	}
	const log = options.log.child({ proxy: proxy.id, workload: proxy.workload });

	const attached = options.directory.attach(proxy, kind.variant);
	const state = kind.begin(attached.resources, clock.monotonicMs());
	const rejections = new Map<ResourceType, LastRejection>();
	const self: ConnectedProxy = {
		proxy,
		variant: kind.variant,
		address: peer.address,
		connectedAtMs: clock.nowMs(),
		types: () => typeStatuses(state, rejections),
		resources: (type) => state.sentResources(type),
		acknowledged: (type) => state.acknowledged(type),
	};
	const wakeup = new Wakeup(clock);
	const answers: (readonly Uint8Array[])[] = [];
	const answeredUnserved = new Set<string>();
	/** How the reading of requests has ended. */
	let ended: { readonly error: unknown } | undefined;

	const take = (message: ParsedRequest<Request>): void => {
		if (message.request === undefined) {
			const { typeUrl } = message;
			if (answeredUnserved.has(typeUrl)) return;
			if (answeredUnserved.size >= maxUnservedTypes) return;
			answeredUnserved.add(typeUrl);
			answers.push(emptyResponse(typeUrl, state.nextNonce()));
			if (unserved.has(typeUrl) || unserved.size >= maxUnservedTypes) return;
			unserved.add(typeUrl);
			log.warn("A proxy asked for a type that is not served", { typeUrl });
			return;
		}
		const outcome = kind.take(state, message.request, clock.monotonicMs());
		if (outcome.op === "refused") {
			throw new GrpcError(grpcStatus.resourceExhausted, outcome.reason);
		}
		const { resumed, acknowledged, rejected } = outcome;
		if (resumed !== undefined && resumed.resources.length > 0) {
			connected.note({ op: "acknowledged", on: self, delivery: resumed });
		}
		if (acknowledged !== undefined) {
			figures?.acknowledged(acknowledged.type);
			connected.note({
				op: "acknowledged",
				on: self,
				delivery: acknowledged,
			});
		}
		if (rejected !== undefined) {
			const { type, message: reason } = rejected;
			const names = [
				...rejected.resources.map(({ name }) => name),
				...rejected.removed,
			];
			rejections.set(type, { message: reason, names, atMs: clock.nowMs() });
			figures?.rejected(type);
			log.warn("A proxy rejected a response", {
				type,
				reason,
				names: names.slice(0, loggedNames),
				resources: names.length,
			});
			connected.note({ op: "rejected", on: self, rejection: rejected });
		}
	};

	const read = async (): Promise<void> => {
		try {
			for (;;) {
				const next = await iterator.next();
				if (next.done === true) break;
				take(parsed(kind, next.value));
				wakeup.wake();
			}
			ended = { error: undefined };
		} catch (error) {
			// Thrown again where responses are made: that is what `net` listens to.
			ended = { error };
		}
		wakeup.wake();
	};

	const unsubscribe = attached.resources.subscribe((changed) => {
		if (state.changed(changed)) wakeup.wake();
	});
	connected.note({ op: "connected", on: self });
	log.debug("A proxy opened a stream", { variant: kind.variant });
	try {
		take(first);
		void read();
		for (;;) {
			if (ended !== undefined) {
				if (ended.error !== undefined) throw ended.error;
				return;
			}
			const answer = answers.shift();
			if (answer !== undefined) {
				yield answer;
				continue;
			}
			const outgoing = state.next(clock.monotonicMs());
			if (outgoing === undefined) {
				await wakeup.sleep(state.wakeAtMs);
				continue;
			}
			figures?.sent(outgoing.type, outgoing.count, lengthOf(outgoing.parts));
			yield outgoing.parts;
		}
	} finally {
		wakeup.close();
		unsubscribe();
		attached.release();
		connected.note({ op: "disconnected", on: self });
		log.debug("A stream of a proxy ended", { variant: kind.variant });
	}
}

function parsed<Request>(
	kind: {
		parse(bytes: Uint8Array): ParsedRequest<Request> | undefined;
	},
	bytes: Uint8Array,
): ParsedRequest<Request> {
	const message = kind.parse(bytes);
	if (message !== undefined) return message;
	throw new GrpcError(
		grpcStatus.invalidArgument,
		"The message is no discovery request of xDS version 3.",
	);
}

/** The proxy at the other end; its `node` and token are not logged. */
function authenticated(
	options: AdsOptions,
	peer: Peer,
	first: ParsedRequest<unknown>,
): Proxy {
	const { node } = first;
	const refuse = (
		status: Exclude<GrpcStatusCode, 0>,
		reason: string,
	): GrpcError => {
		const { address } = peer;
		options.log.warn("Refused a proxy", { address, reason });
		return new GrpcError(status, reason);
	};
	if (node === undefined) {
		throw refuse(
			grpcStatus.invalidArgument,
			"The first request of a stream must say who asks: node is missing.",
		);
	}
	const parsedNode = parseNode(node);
	if ("violations" in parsedNode) {
		const violations = parsedNode.violations
			.map(({ path, message }) => `${path}: ${message}`)
			.join(" ");
		throw refuse(grpcStatus.invalidArgument, violations);
	}
	const authentication = options.authenticate(peer, parsedNode.claims);
	if ("proxy" in authentication) return authentication.proxy;
	throw refuse(authentication.status, authentication.refusal);
}

function typeStatuses(
	state: StreamState,
	rejections: ReadonlyMap<ResourceType, LastRejection>,
): readonly TypeStatus[] {
	const statuses: TypeStatus[] = [];
	for (const type of sendOrder) {
		const subscribed = state.subscribed(type);
		if (subscribed === undefined) continue;
		let sent = 0;
		let acknowledged = 0;
		for (const resource of state.sentResources(type)) {
			if (resource.sent === undefined) continue;
			sent += 1;
			if (resource.sent === resource.acknowledged) acknowledged += 1;
		}
		statuses.push({
			type,
			...subscribed,
			sent,
			acknowledged,
			lastRejection: rejections.get(type),
		});
	}
	return statuses;
}

function lengthOf(parts: readonly Uint8Array[]): number {
	let bytes = 0;
	for (const part of parts) bytes += part.length;
	return bytes;
}
