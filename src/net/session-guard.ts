import type { ServerHttp2Session } from "node:http2";
import { patientTimeout } from "./patient-timeout.ts";

/** How long a connection may do nothing; all in milliseconds. */
export interface SessionTimes {
	readonly firstStreamMs: number;
	readonly idleMs: number;
	readonly pingIntervalMs: number;
	readonly pingTimeoutMs: number;
}

/** Watches one connection; told when streams open and close. */
export interface SessionGuard {
	streamOpened(): void;
	streamClosed(): void;
	/** Stops watching; to be called when the connection is gone. */
	release(): void;
}

/**
 * Closes a connection that is good for nothing: one that opens no stream after
 * it was made, one that has had none for long, one whose other end is dead.
 *
 * @param close ends the connection at once; the reason is for the log.
 */
export function guardSession(
	session: ServerHttp2Session,
	times: SessionTimes,
	close: (reason: string) => void,
): SessionGuard {
	let open = 0;
	let released = false;
	let stopIdle = patientTimeout(times.firstStreamMs, () =>
		close("it opened no stream"),
	);
	let stopAnswer: (() => void) | undefined;
	let wasClosing = false;
	const pingTimer = setInterval(() => {
		if (stopAnswer !== undefined || session.destroyed) return;
		if (session.closed) {
			// The other end said goodbye: it gets time for its last streams, and is asked nothing.
			if (wasClosing) close("it does not finish closing");
			wasClosing = true;
			return;
		}
		stopAnswer = patientTimeout(times.pingTimeoutMs, () =>
			close("it does not answer pings"),
		);
		const sent = session.ping(() => {
			stopAnswer?.();
			stopAnswer = undefined;
		});
		if (!sent) close("it leaves too many pings unanswered");
	}, times.pingIntervalMs);
	return {
		streamOpened() {
			open += 1;
			stopIdle();
		},
		streamClosed() {
			open -= 1;
			// The last streams of a connection may be told of after it is gone.
			if (open > 0 || released) return;
			stopIdle();
			stopIdle = patientTimeout(times.idleMs, () => close("it was idle"));
		},
		release() {
			released = true;
			stopIdle();
			stopAnswer?.();
			clearInterval(pingTimer);
		},
	};
}
