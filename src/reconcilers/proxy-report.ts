/*
 * How replicas of the control plane know together how far an object has come.
 *
 *   own proxies ─▶ Distribution ─▶ ReportedObject ─▶ others
 *                        └──────────────┬─────────── ReportedObject of others
 *                                    merged ─▶ status
 *
 * A report says of which generation it speaks. So it needs no clock and no order
 * between replicas: one that lags is seen to lag.
 */
import type { ReportedObject } from "../api/proxy-report.ts";
import type { Distribution, HeldBack, LaggingReplica } from "./distribution.ts";
import { bounded } from "./sentences.ts";

/** Reports per replica. A change of one object rewrites a sixteenth of what the replica has to tell, and a restart writes 16 objects. */
export const reportShards = 16;

/** Names and refusals that one object's entry holds. */
const maxNamed = 3;

/** Accepted and refused forms that one object's entry holds: two of each for a few kinds of proxies. */
const maxForms = 8;

/** The report that an object is in, by its key; the same in every replica and version. */
export function shardOf(key: string): number {
	// FNV-1a: spreads names that differ in one character.
	let hash = 0x811c9dc5;
	for (let at = 0; at < key.length; at++)
		hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
	return (hash >>> 0) % reportShards;
}

/** What a replica knows of one object. */
export interface OwnKnowledge
	extends Pick<ReportedObject, "uid" | "generation" | "accepted" | "refused"> {
	/** Among its own proxies. */
	readonly distribution: Distribution;
	/** Set while a newer generation is kept from all its proxies. */
	readonly heldBack: HeldBack | undefined;
}

/** The entry of an object in the reports of a replica; its size is bounded. */
export function decideReport({
	uid,
	generation,
	distribution,
	heldBack,
	accepted,
	refused,
}: OwnKnowledge): ReportedObject {
	const { total, acknowledged, rejected, missing } = distribution;
	const { rejections } = heldBack ?? distribution;
	return {
		uid,
		generation,
		// While it is being found out whether they refuse it, it is merely late.
		withheld: rejections.length > 0 ? (heldBack?.generation ?? 0) : 0,
		total,
		acknowledged,
		rejected,
		missing: missing.slice(0, maxNamed).map((name) => bounded(name, 500)),
		rejections: rejections.slice(0, maxNamed).map(boundedSaying),
		accepted: accepted.slice(0, maxForms),
		refused: refused
			.slice(0, maxForms)
			.map((one) => ({ ...one, ...boundedSaying(one) })),
	};
}

/** Whether all that need the object have said what they think of it, so that there is nothing to wait for. */
export function isSettled({
	total,
	acknowledged,
	rejected,
	withheld,
}: ReportedObject): boolean {
	return acknowledged + rejected >= total || withheld > 0;
}

/** Another replica that lives, and what it says of one object; undefined when it does not know the object. */
export interface OtherReplica {
	readonly name: string;
	readonly entry: ReportedObject | undefined;
}

/**
 * How far an object has come among the proxies of all replicas.
 *
 * What a replica says of an older form, or of an earlier object of the same name,
 * says nothing about this one: it lags. One that knows a newer form than this
 * replica has what comes next already.
 */
export function mergeReports(
	own: Distribution,
	{
		uid,
		generation,
	}: { readonly uid: string; readonly generation: number | undefined },
	others: readonly OtherReplica[],
): Distribution {
	const behind: LaggingReplica[] = [];
	let { total, acknowledged, rejected } = own;
	const missing = [...own.missing];
	const rejections = [...own.rejections];
	for (const { name, entry } of others) {
		const isSame =
			entry !== undefined &&
			(entry.uid === "" || uid === "" || entry.uid === uid);
		if (isSame && entry.withheld === generation) {
			total += entry.total;
			rejected += Math.max(1, entry.rejections.length);
			rejections.push(...entry.rejections);
			continue;
		}
		if (!isSame || entry.generation < (generation ?? 0)) {
			// What is in use nowhere here is not missed there.
			if (generation !== undefined)
				behind.push({
					replica: name,
					generation: isSame ? entry.generation : undefined,
				});
			total += isSame ? entry.total : 0;
			continue;
		}
		total += entry.total;
		acknowledged += entry.acknowledged;
		rejected += entry.rejected;
		missing.push(...entry.missing);
		rejections.push(...entry.rejections);
	}
	return {
		total,
		acknowledged,
		rejected,
		missing: missing.slice(0, maxNamed),
		rejections: rejections.slice(0, maxNamed),
		generation: own.generation,
		...(behind.length > 0 && { behind }),
	};
}

function boundedSaying({
	proxy,
	message,
}: {
	readonly proxy: string;
	readonly message: string;
}) {
	return { proxy: bounded(proxy, 500), message: bounded(message, 2000) };
}
