import { isRecord } from "../api/fields.ts";
import {
	type ObjectStatus,
	type PrintedStatus,
	printStatus,
} from "../api/status.ts";
import { deepEqual } from "../lib/deep-equal.ts";

/** What is to be done with a status that is wanted, given the one that is there. */
export type StatusMerge =
	/** It says the same already. */
	| { readonly op: "same" }
	/** It speaks of a generation that this process has not seen yet, and would be set back. */
	| { readonly op: "newer" }
	| {
			readonly op: "write";
			readonly status: PrintedStatus;
			/** Whether counts and words are all that differs, so that nobody waits for it. */
			readonly isProgress: boolean;
	  };

/** An object's status as it is on the server. */
export interface PresentStatus {
	/** `metadata.generation` of the object. */
	readonly generation: number;
	/** Unchecked. */
	readonly status: unknown;
}

/**
 * Compares a status with the one that the object has, whoever wrote that.
 *
 * Guarantees: a transition time changes only when the condition's status does,
 *   also across replicas and restarts, and then it does not go back.
 */
export function mergeStatus(
	wanted: ObjectStatus,
	present: PresentStatus,
): StatusMerge {
	const before = isRecord(present.status) ? present.status : {};
	const seenGeneration = before["observedGeneration"];
	if (
		typeof seenGeneration === "number" &&
		seenGeneration > wanted.observedGeneration &&
		seenGeneration <= present.generation
	)
		return { op: "newer" };
	const conditions = conditionsOf(before);
	const printed = printStatus(wanted);
	const status: PrintedStatus = {
		...printed,
		conditions: printed.conditions.map((condition) => {
			const old = conditions.get(condition.type);
			const oldTime = old?.["lastTransitionTime"];
			if (typeof oldTime !== "string" || Number.isNaN(Date.parse(oldTime)))
				return condition;
			const isKept =
				old?.["status"] === condition.status ||
				Date.parse(oldTime) > Date.parse(condition.lastTransitionTime);
			return isKept ? { ...condition, lastTransitionTime: oldTime } : condition;
		}),
	};
	const isSame =
		seenGeneration === status.observedGeneration &&
		deepEqual(before["proxies"], status.proxies) &&
		status.conditions.every((one) => deepEqual(conditions.get(one.type), one));
	if (isSame) return { op: "same" };
	const isProgress =
		seenGeneration === status.observedGeneration &&
		status.conditions.every((one) => {
			const old = conditions.get(one.type);
			return (
				old?.["status"] === one.status &&
				old["reason"] === one.reason &&
				old["observedGeneration"] === one.observedGeneration
			);
		});
	return { op: "write", status, isProgress };
}

function conditionsOf(
	status: Readonly<Record<string, unknown>>,
): ReadonlyMap<unknown, Readonly<Record<string, unknown>>> {
	const list: unknown = status["conditions"];
	return new Map(
		(Array.isArray(list) ? list : [])
			.filter(isRecord)
			.map((one) => [one["type"], one]),
	);
}
