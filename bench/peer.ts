import { quantile } from "./figure.ts";
import type { ReplicasCost } from "./kube-replicas.ts";

/**
 * What istiod needs for the same work, of one stream where that makes sense. It
 * was measured in another run on a machine of the same size: 2 cores, loopback,
 * a real API server, 1,000 services with 2 endpoints each, delta streams without
 * TLS. So this says by what order of magnitude we differ, and no more.
 */
const peer = {
	/** 1,000 rules present, 100 streams. */
	rule: { p50Ms: 1_340, cpuMs: 22, kib: 1_030, resources: "the whole table" },
	/** Release build, 500 streams. */
	endpoint: { p50Ms: 187, cpuMs: 0.31, kib: 1.0 },
	/** 100 streams, limit of new streams lifted. */
	sync: { wallMs: 3_400, cpuMs: 58, kib: 2_026, rssMb: 376 * 1.048576 },
	/** Until it is ready. */
	startMs: 580,
	startRssMb: 140 * 1.048576,
} as const;

/** Our figures beside those of istiod, as a table in Markdown. */
export function besidePeer(cost: ReplicasCost, streams: number): string {
	const { rule, endpoint } = cost;
	const first = (values: readonly number[]): number => values[0] ?? Number.NaN;
	const kib = (bytes: number): number => bytes / 1024;
	const rows: readonly (readonly [string, string, number, number])[] = [
		[
			"route rule of one service, 1,000 rules present: received by all, p50",
			"ms",
			quantile(rule.receivedMs, 0.5),
			peer.rule.p50Ms,
		],
		[
			"the same: CPU",
			"ms/stream",
			first(rule.cpuMs) / streams,
			peer.rule.cpuMs,
		],
		["the same: sent", "KiB/stream", kib(rule.bytesPerStream), peer.rule.kib],
		[
			"one endpoint: received by all, p50",
			"ms",
			quantile(endpoint.receivedMs, 0.5),
			peer.endpoint.p50Ms,
		],
		[
			"the same: CPU",
			"ms/stream",
			first(endpoint.cpuMs) / streams,
			peer.endpoint.cpuMs,
		],
		[
			"the same: sent",
			"KiB/stream",
			kib(endpoint.bytesPerStream),
			peer.endpoint.kib,
		],
		[
			"first sync of all (istiod: without rules): CPU",
			"ms/stream",
			first(cost.syncCpuMs) / streams,
			peer.sync.cpuMs,
		],
		[
			"the same: sent",
			"KiB/stream",
			kib(cost.syncBytesPerStream),
			peer.sync.kib,
		],
		[
			"memory in RAM after it (istiod: 100 streams)",
			"MB",
			first(cost.rssMb),
			peer.sync.rssMb,
		],
		["start until ready", "ms", cost.startWallMs, peer.startMs],
		["memory in RAM then", "MB", first(cost.startRssMb), peer.startRssMb],
	];
	const print = (value: number): string =>
		value.toLocaleString("en", { maximumSignificantDigits: 3 });
	return [
		"| What | Unit | Lateen | istiod | istiod / Lateen |",
		"|---|---|---|---|---|",
		...rows.map(
			([what, unit, ours, theirs]) =>
				`| ${what} | ${unit} | ${print(ours)} | ${print(theirs)} | ${print(theirs / ours)} |`,
		),
	].join("\n");
}
