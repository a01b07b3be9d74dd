/** A protobuf Duration of so many milliseconds. */
export function duration(ms: number): {
	readonly seconds: bigint;
	readonly nanos: number;
} {
	const seconds = Math.floor(ms / 1000);
	return {
		seconds: BigInt(seconds),
		nanos: Math.round((ms - seconds * 1000) * 1_000_000),
	};
}
