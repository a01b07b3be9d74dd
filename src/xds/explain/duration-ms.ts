/** A protobuf duration in milliseconds. */
export function durationMs(duration: {
	readonly seconds: bigint;
	readonly nanos: number;
}): number {
	return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
