import type { Readable } from "node:stream";
import { GrpcError, grpcStatus } from "../lib/grpc-error.ts";
import type { ByteBudget } from "./byte-budget.ts";
import { FrameParser } from "./grpc-frame.ts";

/**
 * The messages of a gRPC stream, read from the socket only as they are consumed.
 *
 * Guarantees: ends when the client has sent its last message, and also when the
 *   stream is closed or `signal` is aborted (which tells the two apart).
 * Fails when: the client breaks the framing or a limit; then with a `GrpcError`.
 */
export async function* readMessages(
	stream: Readable,
	maxBytes: number,
	budget: ByteBudget,
	signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
	const parser = new FrameParser(maxBytes, budget);
	let wake: (() => void) | undefined;
	let ended = stream.readableEnded;
	const notice = (): void => wake?.();
	const end = (): void => {
		ended = true;
		wake?.();
	};
	stream.on("readable", notice);
	stream.on("end", end);
	stream.on("close", end);
	signal.addEventListener("abort", end);
	try {
		for (;;) {
			const message = parser.next();
			if (signal.aborted) break;
			if (message !== undefined) {
				yield message;
				continue;
			}
			const chunk: Uint8Array | null = stream.destroyed ? null : stream.read();
			if (chunk !== null) {
				parser.push(chunk);
				continue;
			}
			// A stream that was reset is destroyed before "close", which aborts the signal first.
			if (ended) break;
			await new Promise<void>((resolve) => {
				wake = resolve;
			});
			wake = undefined;
		}
		if (parser.unfinished && !signal.aborted && !stream.destroyed) {
			throw new GrpcError(
				grpcStatus.internal,
				"The last request message is incomplete.",
			);
		}
	} finally {
		parser.close();
		stream.off("readable", notice);
		stream.off("end", end);
		stream.off("close", end);
		signal.removeEventListener("abort", end);
	}
}
