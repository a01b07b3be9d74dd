import type { ServerHttp2Session } from "node:http2";

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
	let idleTimer = setTimeout(
		() => close("it opened no stream"),
		times.firstStreamMs,
	);
	let answerTimer: NodeJS.Timeout | undefined;
	const pingTimer = setInterval(() => {
		if (answerTimer !== undefined || session.destroyed) return;
		answerTimer = setTimeout(
			() => close("it does not answer pings"),
			times.pingTimeoutMs,
		);
		const sent = session.ping(() => {
			clearTimeout(answerTimer);
			answerTimer = undefined;
		});
		if (!sent) close("it leaves too many pings unanswered");
	}, times.pingIntervalMs);
	return {
		streamOpened() {
			open += 1;
			clearTimeout(idleTimer);
		},
		streamClosed() {
			open -= 1;
			// The last streams of a connection may be told of after it is gone.
			if (open > 0 || released) return;
			clearTimeout(idleTimer);
			idleTimer = setTimeout(() => close("it was idle"), times.idleMs);
		},
		release() {
			released = true;
			clearTimeout(idleTimer);
			clearTimeout(answerTimer);
			clearInterval(pingTimer);
		},
	};
}
