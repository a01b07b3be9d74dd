/*
 * What is said about an object, from everything that is known about it.
 *
 *   violations ──▶ Accepted ─────┐
 *   findings ────▶ ResolvedRefs ─┼─▶ Ready
 *   distribution ▶ Programmed ───┘
 *
 * A condition speaks of one generation, and says of which. While the newest form
 * is refused, `Accepted` speaks of that, and `ResolvedRefs` and `Programmed` of
 * the last good form, which is the one that carries traffic; who waits for the
 * newest generation sees that they are about an older one.
 */
import type { ObjectRef } from "../api/object-ref.ts";
import {
	type Condition,
	type ConditionStatus,
	type ConditionType,
	conditionOf,
	type ObjectStatus,
	type ProxyCounts,
} from "../api/status.ts";
import type { Violation } from "../api/violation.ts";
import type { Finding } from "../mesh/finding.ts";
import type { Distribution, HeldBack } from "./distribution.ts";
import type { StatusReason } from "./reasons.ts";
import { bounded, printNames, quoted } from "./sentences.ts";

/** Everything that is known about one object at one moment. */
export interface SeenObject {
	readonly ref: ObjectRef;
	/** Of the newest form, refused or not. */
	readonly generation: number;
	/** Why the newest form is refused; none when it is in use. */
	readonly violations: readonly Violation[];
	/**
	 * The generation of the form that is used, which is the last good one; undefined when no form is. Where generations are
	 * counted anew after a restart, one that is not older than a newer form is taken as 0.
	 */
	readonly goodGeneration: number | undefined;
	/** Whether that form is part of the mesh in force. */
	readonly isBuilt: boolean;
	/** Why the newest objects cannot be built, while that is so. */
	readonly buildFailure: string | undefined;
	/** Of the mesh in force, about this object. */
	readonly findings: readonly Finding[];
	readonly distribution: Distribution;
	/** Set while the good form is kept out of the mesh. */
	readonly heldBack: HeldBack | undefined;
	/** What was said of it last. */
	readonly previous: ObjectStatus | undefined;
}

/** A condition without what follows from the others. */
interface Verdict {
	readonly status: ConditionStatus;
	readonly reason: StatusReason;
	readonly message: string;
	readonly generation: number;
}

/** Problems that are quoted in one message. */
const maxListed = 10;

/** Names of proxies in one message. */
const maxNamed = 3;

/**
 * The conditions and counts of an object.
 *
 * Guarantees: all four conditions, in order; `Programmed` and `Ready` are true
 *   only of a generation that every proxy which needs it has acknowledged; a
 *   transition time changes only when the status does; messages are bounded.
 */
export function decideStatus(
	observed: SeenObject,
	nowMs: number,
): ObjectStatus {
	const seen = withOrderedGenerations(observed);
	const first = [
		["Accepted", decideAccepted(seen)],
		["ResolvedRefs", decideResolved(seen)],
		["Programmed", decideProgrammed(seen)],
	] as const;
	const verdicts: readonly (readonly [ConditionType, Verdict])[] = [
		...first,
		["Ready", decideReady(seen, Object.fromEntries(first))],
	];
	return {
		ref: seen.ref,
		observedGeneration: seen.generation,
		conditions: verdicts.map(([type, verdict]) =>
			conditionFrom(type, verdict, seen.previous, nowMs),
		),
		proxies: countsOf(seen),
	};
}

/** Who waits for a generation must not take an older form for it because that was counted by an earlier process. */
function withOrderedGenerations(seen: SeenObject): SeenObject {
	const { generation, violations, goodGeneration, heldBack } = seen;
	const good =
		violations.length > 0
			? earlier(goodGeneration, generation)
			: goodGeneration;
	return {
		...seen,
		goodGeneration: good,
		heldBack: heldBack && {
			...heldBack,
			inForceGeneration: earlier(
				heldBack.inForceGeneration,
				heldBack.generation,
			),
		},
	};
}

function earlier(
	generation: number | undefined,
	than: number,
): number | undefined {
	return generation === undefined || generation < than ? generation : 0;
}

function conditionFrom(
	type: ConditionType,
	{ status, reason, message, generation }: Verdict,
	previous: ObjectStatus | undefined,
	nowMs: number,
): Condition {
	const before = previous && conditionOf(previous, type);
	return {
		type,
		status,
		reason,
		message: bounded(message),
		observedGeneration: generation,
		lastTransitionMs:
			before?.status === status ? before.lastTransitionMs : nowMs,
	};
}

function decideAccepted(seen: SeenObject): Verdict {
	const { generation, violations, goodGeneration, heldBack } = seen;
	if (violations.length > 0) {
		const stays = sayInForce(
			heldBack === undefined ? goodGeneration : heldBack.inForceGeneration,
		);
		const listed = listProblems(violations);
		return {
			status: "False",
			reason: "Invalid",
			message: `Generation ${generation} is refused: ${bounded(listed, 3500)} ${stays}`,
			generation,
		};
	}
	if (heldBack !== undefined)
		return {
			status: "True",
			reason: "Accepted",
			message: "The object is valid; Programmed says why it is not in use.",
			generation,
		};
	return (
		notBuilt(seen, generation) ??
		foundFalse(seen, "Accepted", generation) ?? {
			status: "True",
			reason: "Accepted",
			message: "The object is valid and in use.",
			generation,
		}
	);
}

function decideResolved(seen: SeenObject): Verdict {
	const { goodGeneration, heldBack } = seen;
	const generation =
		heldBack === undefined ? goodGeneration : heldBack.inForceGeneration;
	if (generation === undefined) return notInForce(seen);
	return (
		(heldBack === undefined ? notBuilt(seen, generation) : undefined) ??
		foundFalse(seen, "ResolvedRefs", generation) ?? {
			status: "True",
			reason: "Resolved",
			message: "Everything that the object names exists.",
			generation,
		}
	);
}

function decideProgrammed(seen: SeenObject): Verdict {
	const { goodGeneration: generation, distribution, heldBack } = seen;
	if (generation === undefined) return notInForce(seen);
	if (heldBack !== undefined) return decideHeldBack(heldBack, distribution);
	const { total, acknowledged, rejected, rejections } = distribution;
	const unbuilt = notBuilt(seen, generation);
	if (unbuilt) return unbuilt;
	if (rejected > 0 || rejections.length > 0)
		return {
			status: "False",
			reason: "Rejected",
			message: [
				sayRejected(distribution, generation),
				isOlder(distribution, generation)
					? sayInForce(distribution.generation)
					: "What these proxies had before stays in force there.",
			].join(" "),
			generation,
		};
	if (isOlder(distribution, generation))
		return {
			status: "Unknown",
			reason: "Pending",
			message: `Generation ${generation} is not given to proxies yet; they have generation ${distribution.generation}.`,
			generation,
		};
	const found = foundFalse(seen, "Programmed", generation);
	if (found) return found;
	if (acknowledged < total || distribution.behind !== undefined)
		return {
			status: "False",
			reason: "Distributing",
			message: sayDistributing(distribution, generation),
			generation,
		};
	if (total === 0)
		return {
			status: "True",
			reason: "NoProxies",
			message:
				"No connected proxy needs the object, so there is nobody to wait for.",
			generation,
		};
	return {
		status: "True",
		reason: "Programmed",
		message: `${sayForm(generation)} is live: ${acknowledged} of ${total} proxies that need the object have acknowledged it.`,
		generation,
	};
}

function decideHeldBack(
	{ generation, inForceGeneration, rejections }: HeldBack,
	{ total, rejected }: Distribution,
): Verdict {
	if (rejections.length === 0)
		return {
			status: "Unknown",
			reason: "Pending",
			message: `Generation ${generation} is held back until it is known which object a proxy refuses. ${sayInForce(inForceGeneration)}`,
			generation,
		};
	const refused = { total, rejected, rejections };
	return {
		status: "False",
		reason: "Rejected",
		message: `${sayRejected(refused, generation)} ${sayInForce(inForceGeneration)}`,
		generation,
	};
}

function decideReady(
	seen: SeenObject,
	facts: Readonly<Record<string, Verdict>>,
): Verdict {
	const all = Object.entries(facts);
	const [failing] = [
		...all.filter(([, { status }]) => status === "False"),
		...all.filter(([, { status }]) => status === "Unknown"),
	];
	const { generation } = seen;
	if (failing === undefined)
		return {
			status: "True",
			reason: "Ready",
			message: facts["Programmed"]?.message ?? "",
			generation,
		};
	const [type, { status, reason, message }] = failing;
	return { status, reason, message: `${type}: ${message}`, generation };
}

/** Said of every condition while the mesh in force was made without the object's good form. */
function notBuilt(seen: SeenObject, generation: number): Verdict | undefined {
	if (seen.isBuilt) return undefined;
	if (seen.buildFailure !== undefined)
		return {
			status: "Unknown",
			reason: "BuildFailed",
			message: `The newest objects cannot be made into configuration, so an older state is in force. This is a mistake in lateen: ${quoted(seen.buildFailure)}`,
			generation,
		};
	return {
		status: "Unknown",
		reason: "Pending",
		message: `Generation ${generation} was read and is not made into configuration yet.`,
		generation,
	};
}

function notInForce({ generation }: SeenObject): Verdict {
	return {
		status: "Unknown",
		reason: "NotInForce",
		message:
			"No form of the object is in use: the newest is refused, and no earlier one is known.",
		generation,
	};
}

/** The verdict of the findings that turn this condition false, if there are any; the first gives the reason. */
function foundFalse(
	{ findings }: SeenObject,
	type: Finding["condition"],
	generation: number,
): Verdict | undefined {
	const about = findings.filter(({ condition }) => condition === type);
	const [first] = about;
	if (first === undefined) return undefined;
	return {
		status: "False",
		reason: first.reason,
		message: listProblems(about),
		generation,
	};
}

function listProblems(
	problems: readonly { readonly path: string; readonly message: string }[],
): string {
	const said = problems
		.slice(0, maxListed)
		.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`))
		.map((text) => (/[.!?…]$/.test(text) ? text : `${text}.`));
	const more = problems.length - said.length;
	return `${said.join(" ")}${more > 0 ? ` And ${more} more.` : ""}`;
}

function isOlder(
	{ generation: made }: Distribution,
	generation: number,
): boolean {
	return made !== undefined && made !== generation;
}

function sayInForce(generation: number | undefined): string {
	switch (generation) {
		case undefined:
			return "No earlier form of the object is known, so nothing of it is in force.";
		case 0:
			return "The last good form of the object, from before the server started, stays in force.";
		default:
			return `Generation ${generation} of the object stays in force.`;
	}
}

function sayForm(generation: number): string {
	return generation === 0 ? "The last good form" : `Generation ${generation}`;
}

function sayRejected(
	{
		total,
		rejected,
		rejections,
	}: Pick<Distribution, "total" | "rejected" | "rejections">,
	generation: number,
): string {
	const named = rejections.slice(0, maxNamed);
	const count = Math.max(rejected, rejections.length);
	const words = named.map(
		({ proxy, message }) => `${proxy} says: ${quoted(message)}`,
	);
	const more = count - named.length;
	return [
		`${count} of ${Math.max(total, count)} proxies refused generation ${generation}.`,
		...words.map((text) => (text.endsWith(".") ? text : `${text}.`)),
		...(more > 0 && named.length > 0 ? [`And ${more} more.`] : []),
	].join(" ");
}

function sayDistributing(
	{ total, acknowledged, missing, behind = [] }: Distribution,
	generation: number,
): string {
	const counted = `${acknowledged} of ${total} proxies that need the object have acknowledged generation ${generation}`;
	if (behind.length > 0) {
		const names = behind
			.slice(0, maxNamed)
			.map(({ replica, generation: has }) =>
				has === undefined ? replica : `${replica}, which has generation ${has}`,
			);
		return `${counted}; it waits for replicas of the control plane that do not serve it yet: ${printNames(names, behind.length)}.`;
	}
	const names = printNames(missing.slice(0, maxNamed), total - acknowledged);
	return `${counted}; it waits for ${names}.`;
}

/** While the good form is not built, held back or not given out, nobody has acknowledged it. */
function countsOf({
	distribution,
	isBuilt,
	goodGeneration,
	heldBack,
}: SeenObject): ProxyCounts {
	const { total } = distribution;
	const rejected = Math.max(
		distribution.rejected,
		heldBack?.rejections.length ?? 0,
	);
	const isCurrent =
		isBuilt &&
		heldBack === undefined &&
		goodGeneration !== undefined &&
		!isOlder(distribution, goodGeneration);
	return {
		total,
		acknowledged: isCurrent ? distribution.acknowledged : 0,
		rejected,
	};
}
