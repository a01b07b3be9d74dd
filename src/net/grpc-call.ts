import {
	constants,
	type IncomingHttpHeaders,
	type OutgoingHttpHeaders,
	type ServerHttp2Stream,
} from "node:http2";
import { GrpcError, grpcStatus } from "../lib/grpc-error.ts";
import type { StreamHandler } from "../lib/handler.ts";
import type { Logger } from "../observability/logger.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { GrpcLimits } from "./grpc-limits.ts";
import { readMessages } from "./read-messages.ts";
import { endStream, writeMessage } from "./write-message.ts";

/** A method of a gRPC server: a response is the parts of one message, which are sent as one without being copied together. */
export type GrpcMethod = StreamHandler<Uint8Array, readonly Uint8Array[]>;

/** One open stream and everything that serves it. */
export interface GrpcCall {
	readonly stream: ServerHttp2Stream;
	readonly path: string;
	readonly headers: IncomingHttpHeaders;
	/** Address of the client. */
	readonly client: string;
	readonly method: GrpcMethod;
	readonly limits: GrpcLimits;
	/** Budget of the connection for large unfinished messages. */
	readonly budget: ByteBudget;
	readonly log: Logger;
	/** Aborted when the server stops: the handler is asked to end, and the client is told to come again. */
	readonly stopping: AbortSignal;
}

interface Status {
	readonly code: number;
	readonly message: string;
}

/** Time for the client to end its half of a stream after the response. */
const leaveMs = 1_000;

/** Runs the method until the stream has ended. Never throws. */
export async function serveCall(call: GrpcCall): Promise<void> {
	const { stream, limits, log, path, client } = call;
	const controller = new AbortController();
	const abort = (): void => controller.abort();
	stream.once("close", abort);
	stream.once("aborted", abort);
	call.stopping.addEventListener("abort", abort, { once: true });
	if (call.stopping.aborted) abort();

	let status: Status = { code: grpcStatus.ok, message: "" };
	stream.respond(
		{
			":status": 200,
			"content-type": "application/grpc",
			"grpc-accept-encoding": "identity",
		},
		{ waitForTrailers: true },
	);
	stream.once("wantTrailers", () => stream.sendTrailers(trailersOf(status)));
	const requests = readMessages(
		stream,
		limits.maxRequestBytes,
		call.budget,
		controller.signal,
	);
	try {
		const peer = {
			address: client,
			bearerToken: bearerTokenOf(call.headers.authorization),
		};
		for await (const parts of call.method(requests, peer, controller.signal)) {
			const outcome = await writeMessage(stream, parts, limits.blockedWriteMs);
			if (outcome === "blocked") {
				log.warn("Closed a gRPC stream whose client does not read", {
					client,
					path,
					blockedMs: limits.blockedWriteMs,
				});
			}
			if (outcome !== "written") break;
		}
	} catch (error) {
		status = statusOf(error);
		if (!(error instanceof GrpcError) && !controller.signal.aborted) {
			log.error("A gRPC method failed", { client, path, cause: error });
		}
	} finally {
		call.stopping.removeEventListener("abort", abort);
	}
	if (call.stopping.aborted) {
		status = {
			code: grpcStatus.unavailable,
			message: "The server is stopping; connect again.",
		};
	}
	// Not awaited: a generator that waits for the client ends when the stream does.
	void requests.return();
	if ((await endStream(stream, limits.blockedWriteMs)) !== "written") return;
	leave(stream);
}

/**
 * Lets go of a stream whose response is complete. A reset now could overtake
 * the trailers, so the client gets a moment to end its half by itself.
 */
function leave(stream: ServerHttp2Stream): void {
	if (stream.destroyed) return;
	const timer = setTimeout(() => {
		stream.close(constants.NGHTTP2_NO_ERROR);
		stream.destroy();
	}, leaveMs);
	stream.once("close", () => clearTimeout(timer));
	stream.resume();
}

/** Ends a stream that no method serves: status and message in the headers, nothing after them. */
export function refuseCall(
	stream: ServerHttp2Stream,
	code: number,
	message: string,
): void {
	stream.respond(
		{
			":status": 200,
			"content-type": "application/grpc",
			...trailersOf({ code, message }),
		},
		{ endStream: true },
	);
	stream.close(constants.NGHTTP2_NO_ERROR);
}

function statusOf(error: unknown): Status {
	return error instanceof GrpcError
		? { code: error.status, message: error.message }
		: { code: grpcStatus.internal, message: "internal error" };
}

function trailersOf({ code, message }: Status): OutgoingHttpHeaders {
	return message === ""
		? { "grpc-status": String(code) }
		: { "grpc-status": String(code), "grpc-message": percentEncode(message) };
}

/** As "gRPC over HTTP2" asks for `grpc-message`: visible ASCII but `%` stays as it is. */
function percentEncode(text: string): string {
	const maxMessageBytes = 1024;
	let encoded = "";
	for (const byte of Buffer.from(text, "utf8").subarray(0, maxMessageBytes)) {
		encoded +=
			byte >= 0x20 && byte <= 0x7e && byte !== 0x25
				? String.fromCharCode(byte)
				: `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
	}
	return encoded;
}

function bearerTokenOf(authorization: string | undefined): string | undefined {
	const found = /^bearer +(\S+)\s*$/i.exec(authorization ?? "");
	return found?.[1];
}
