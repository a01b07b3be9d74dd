import type { ObjectRef } from "./object-ref.ts";

/** The four facts that every object of ours is judged by, in the order in which they come true. */
export const conditionTypes = [
	"Accepted",
	"ResolvedRefs",
	"Programmed",
	"Ready",
] as const;

/**
 * What a condition is about: the object is valid and in use (`Accepted`), everything it names exists (`ResolvedRefs`), every
 * connected proxy that needs it has acknowledged it (`Programmed`), all of these (`Ready`).
 */
export type ConditionType = (typeof conditionTypes)[number];

/** Whether a condition holds; `Unknown` while it cannot be said. */
export type ConditionStatus = "True" | "False" | "Unknown";

/** One fact about an object. */
export interface Condition {
	readonly type: ConditionType;
	readonly status: ConditionStatus;
	/** Why, as one stable word for programs. */
	readonly reason: string;
	/** Why, in full sentences for people. */
	readonly message: string;
	/** The generation that the fact is about: an older one than the newest while that is refused. */
	readonly observedGeneration: number;
	/** When `status` changed last; milliseconds since the epoch. */
	readonly lastTransitionMs: number;
}

/** How far an object has come among the connected proxies that need it. */
export interface ProxyCounts {
	readonly total: number;
	readonly acknowledged: number;
	readonly rejected: number;
}

/** What is known about one object. */
export interface ObjectStatus {
	readonly ref: ObjectRef;
	/** The newest generation that was looked at, refused or not. */
	readonly observedGeneration: number;
	/** One of each type, in the order of `conditionTypes`. */
	readonly conditions: readonly Condition[];
	readonly proxies: ProxyCounts;
}

/** The condition of this type. */
export function conditionOf(
	status: ObjectStatus,
	type: ConditionType,
): Condition | undefined {
	return status.conditions.find((one) => one.type === type);
}

/** An object's `status` as the schema of our kinds has it. */
export interface PrintedStatus {
	readonly observedGeneration: number;
	readonly conditions: readonly {
		readonly type: ConditionType;
		readonly status: ConditionStatus;
		readonly observedGeneration: number;
		/** RFC 3339, in whole seconds. */
		readonly lastTransitionTime: string;
		readonly reason: string;
		readonly message: string;
	}[];
	readonly proxies: ProxyCounts;
}

/** The status as Kubernetes and the admin API show it. */
export function printStatus(status: ObjectStatus): PrintedStatus {
	return {
		observedGeneration: status.observedGeneration,
		conditions: status.conditions.map((one) => ({
			type: one.type,
			status: one.status,
			observedGeneration: one.observedGeneration,
			lastTransitionTime: printTime(one.lastTransitionMs),
			reason: one.reason,
			message: one.message,
		})),
		proxies: { ...status.proxies },
	};
}

/** A time as Kubernetes writes it: RFC 3339 in UTC, in whole seconds, because `metav1.Time` has no more. */
export function printTime(ms: number): string {
	return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
