import { open } from "node:fs/promises";

/** How many requests there were, by `VERB RESOURCE`, such as `patch routerules/status`. */
export type RequestCounts = ReadonlyMap<string, number>;

interface AuditEvent {
	readonly verb: string;
	readonly stage: string;
	readonly objectRef?: {
		readonly resource: string;
		readonly subresource?: string;
	};
}

/** The end of the audit log as it is now: what comes later is counted from here. */
export async function auditPosition(auditLog: string): Promise<number> {
	await using file = await open(auditLog);
	return (await file.stat()).size;
}

/**
 * What Lateen has asked of the API server since a position. A watch counts when
 * it begins.
 */
export async function lateenRequests(
	auditLog: string,
	position: number,
): Promise<RequestCounts> {
	await using file = await open(auditLog);
	const counts = new Map<string, number>();
	for await (const line of file.readLines({ start: position })) {
		if (!line.includes('"userAgent":"lateen/')) continue;
		const { verb, stage, objectRef }: AuditEvent = JSON.parse(line);
		// A watch is told of twice.
		if (verb === "watch" && stage !== "ResponseStarted") continue;
		const { resource = "none", subresource } = objectRef ?? {};
		const key = `${verb} ${resource}${subresource === undefined ? "" : `/${subresource}`}`;
		counts.set(key, (counts.get(key) ?? 0) + 1);
	}
	return counts;
}

/** The sum of those whose `VERB RESOURCE` is as wanted. */
export function sumOf(
	counts: RequestCounts,
	isWanted: (request: string) => boolean,
): number {
	let sum = 0;
	for (const [request, count] of counts) if (isWanted(request)) sum += count;
	return sum;
}
