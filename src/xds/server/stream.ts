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
import type { ParsedRequest } from "../protocol/parse-request.ts";
import type { StreamState } from "../protocol/stream-state.ts";
import type { Proxy } from "../proxy.ts";
import type { AdsOptions } from "./ads-options.ts";
import type { Authenticated } from "./authenticate.ts";
import {
	ServedStream,
	type SharedByStreams,
	type StreamVariant,
} from "./served-stream.ts";
import { Wakeup } from "./wakeup.ts";

/** Serves one stream; ends when the proxy ends it, fails with a `GrpcError` when the proxy is at fault. */
export async function* serveStream<State extends StreamState, Request>(
	kind: StreamVariant<State, Request>,
	shared: SharedByStreams,
	call: { readonly requests: AsyncIterable<Uint8Array>; readonly peer: Peer },
): AsyncGenerator<readonly Uint8Array[], void, undefined> {
	const { clock, connected, directory } = shared.options;
	const { address } = call.peer;
	const requests = call.requests[Symbol.asyncIterator]();
	const opening = await requests.next();
	if (opening.done === true) return;
	const first = parsed(kind, opening.value);
	const { proxy, watch } = await authenticated(
		shared.options,
		call.peer,
		first,
	);
	using turn = await shared.firstSyncs.begin();
	refuseOneMore(shared, proxy);

	const log = shared.options.log.child({
		proxy: proxy.id,
		workload: proxy.workload,
	});
	const attached = directory.attach(proxy, kind.variant);
	const { resources } = attached;
	const stream = new ServedStream(kind, shared, {
		proxy,
		address,
		attached,
		log,
		onCounted: () => turn.end(),
	});
	const wakeup = new Wakeup(clock);
	/** How the reading of requests has ended. */
	let ended: { readonly error: unknown } | undefined;
	const read = async (): Promise<void> => {
		try {
			for (;;) {
				const next = await requests.next();
				if (next.done === true) break;
				stream.take(parsed(kind, next.value));
				wakeup.wake();
			}
			ended ??= { error: undefined };
		} catch (error) {
			// Thrown again where responses are made: that is what `net` listens to.
			ended ??= { error };
		}
		wakeup.wake();
	};

	const stopWatching = watch?.(({ status, refusal }) => {
		log.info("A proxy no longer proves who it is", {
			address,
			reason: refusal,
		});
		ended ??= { error: new GrpcError(status, refusal) };
		wakeup.wake();
	});
	const unsubscribe = resources.subscribe((changed) => {
		if (stream.state.changed(changed)) wakeup.wake();
	});
	connected.note({ op: "connected", on: stream });
	log.debug("A proxy opened a stream", { address, variant: kind.variant });
	try {
		stream.take(first);
		void read();
		for (;;) {
			if (ended !== undefined) {
				if (ended.error !== undefined) throw ended.error;
				return;
			}
			const message = stream.next();
			if (message === undefined) await wakeup.sleep(stream.state.wakeAtMs);
			else yield message;
		}
	} finally {
		wakeup.close();
		stopWatching?.();
		unsubscribe();
		stream.end();
		connected.note({ op: "disconnected", on: stream });
		log.debug("A stream of a proxy ended", { address });
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

/** Fails when the proxy may not open one more stream. */
function refuseOneMore(
	{ options, limits }: SharedByStreams,
	proxy: Proxy,
): void {
	const { maxStreamsPerProxy } = limits;
	if (options.connected.streamsOf(proxy) < maxStreamsPerProxy) return;
	throw new GrpcError(
		grpcStatus.resourceExhausted,
		`The proxy ${proxy.id} has ${maxStreamsPerProxy} open streams already. Give every process its own node id, or wait for its old streams to end.`,
	);
}

/** The proxy at the other end; its `node` and token are not logged. */
async function authenticated(
	options: AdsOptions,
	peer: Peer,
	first: ParsedRequest<unknown>,
): Promise<Authenticated> {
	const { node } = first;
	const refuse = (
		status: Exclude<GrpcStatusCode, 0>,
		reason: string,
	): GrpcError => {
		const fields = { address: peer.address, reason };
		// Whoever cannot be asked is one trouble, however many proxies come again and again because of it.
		if (status === grpcStatus.unavailable) {
			options.log.debug("Put a proxy off", fields);
		} else options.log.warn("Refused a proxy", fields);
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
	const authentication = await options.authenticate(peer, parsedNode.claims);
	if ("proxy" in authentication) return authentication;
	throw refuse(authentication.status, authentication.refusal);
}
