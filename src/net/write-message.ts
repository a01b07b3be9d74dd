import { constants, type ServerHttp2Stream } from "node:http2";
import { frameBatches } from "./grpc-frame.ts";
import { patientTimeout } from "./patient-timeout.ts";

/**
 * A larger write would make each TLS connection keep a buffer of that size for
 * its life; a smaller one costs more calls.
 */
const maxBatchBytes = 64 * 1024;

/** What became of a write: `closed` when the stream ended first, by the client or because it took too long. */
export type WriteOutcome = "written" | "closed" | "blocked";

/**
 * Writes one message and answers when the client's flow control and the socket
 * have taken all of it.
 *
 * Guarantees: never throws for a stream that ends; a write that is not taken
 *   within `blockedMs` destroys the stream.
 */
export async function writeMessage(
	stream: ServerHttp2Stream,
	parts: readonly Uint8Array[],
	blockedMs: number,
): Promise<WriteOutcome> {
	for (const batch of frameBatches(parts, maxBatchBytes)) {
		const outcome = await within(stream, blockedMs, (done) => {
			// Corked, the buffers of a batch go to the socket together.
			stream.cork();
			batch.forEach((buffer, index) => {
				if (index === batch.length - 1) stream.write(buffer, done);
				else stream.write(buffer);
			});
			stream.uncork();
		});
		if (outcome !== "written") return outcome;
	}
	return "written";
}

/** Ends the response; the trailers follow. Contract as of `writeMessage`. */
export function endStream(
	stream: ServerHttp2Stream,
	blockedMs: number,
): Promise<WriteOutcome> {
	return within(stream, blockedMs, (done) => stream.end(() => done()));
}

function within(
	stream: ServerHttp2Stream,
	blockedMs: number,
	start: (done: (error?: Error | null) => void) => void,
): Promise<WriteOutcome> {
	if (stream.destroyed || stream.closed) return Promise.resolve("closed");
	return new Promise((resolve) => {
		const settle = (outcome: WriteOutcome): void => {
			stopWaiting();
			stream.off("close", closed);
			resolve(outcome);
		};
		const closed = (): void => settle("closed");
		const stopWaiting = patientTimeout(blockedMs, () => {
			settle("blocked");
			// A plain reset would wait behind the very data that the client does not take.
			stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
			stream.destroy();
		});
		stream.once("close", closed);
		start((error) =>
			settle(error === undefined || error === null ? "written" : "closed"),
		);
	});
}
