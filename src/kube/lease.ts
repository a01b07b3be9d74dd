/*
 * Who may write, as a pure step. A Lease object names the holder, who renews it
 * while it lives:
 *
 *   look ─▶ another's, renewed ─▶ wait ─▶ look …
 *     ├───▶ free, or silent for long enough ─▶ write ─▶ held ─▶ renew ─▶ renew …
 *     └◀──────── conflict, lost answer ──────────┴────────────────┘
 *
 * Two rules make it safe, and neither compares clocks of two machines:
 *
 *   holder   counts from when it *sent* the renewal that succeeded, and stops after `renewDeadlineMs`
 *   others   count from when they *saw* the newest renewal, and take over after `durationMs`
 *
 * A renewal is seen after it was sent, and the deadline is shorter than the
 * duration, so the holder has stopped before anybody begins, as long as no clock
 * runs half as fast again as another.
 *
 * A Lease that was deleted counts as one that went silent. Only who never saw one
 * creates it at once, so that a first start needs no wait; deleting the Lease
 * under a leader while another replica starts is the one way to have two, until
 * the first of them renews.
 */

/** What a Lease says. Times are for people; nobody computes with those of others. */
export interface LeaseRecord {
	/** Empty when it is free. */
	readonly holder: string;
	readonly durationSeconds: number;
	/** RFC 3339 with microseconds. */
	readonly acquireTime: string;
	readonly renewTime: string;
	readonly transitions: number;
}

/** A Lease on the server. */
export interface StoredLease extends LeaseRecord {
	readonly resourceVersion: string;
}

/** The times of an election. Milliseconds. */
export interface LeaseTimes {
	/** How long others wait for a holder that does not renew; whole seconds. */
	readonly durationMs: number;
	/** How long the holder goes on without a renewal that succeeded. */
	readonly renewDeadlineMs: number;
	/** Time between two renewals, or two looks at another's. */
	readonly retryMs: number;
}

/** As Kubernetes' own controllers have them: a dead leader is replaced within 17 s, a slow API server of 10 s is survived. */
export const defaultLeaseTimes: LeaseTimes = {
	durationMs: 15_000,
	renewDeadlineMs: 10_000,
	retryMs: 2000,
};

/** A moment by this process's own two clocks. */
export interface Moment {
	readonly monotonicMs: number;
	/** Of the machine's clock. It goes on while a suspended machine's monotonic clock stands still. */
	readonly wallMs: number;
}

/** What one contender knows. */
export interface Candidacy {
	/** What the server had at the last look; undefined before the first. */
	readonly seen: SeenLease | undefined;
	/** False when there is reason to look again before anything is written. */
	readonly isCurrent: boolean;
	/** When the write was sent that made or kept the Lease ours; undefined when it is not. */
	readonly held: Moment | undefined;
}

/** A Lease, or that there is none, and for how long that has been so. */
export interface SeenLease {
	readonly lease: StoredLease | undefined;
	/** When this version of it was first seen; monotonic. When there never was one, before all time. */
	readonly sinceMs: number;
}

/** What to do next. */
export type LeaseStep =
	| { readonly op: "read" }
	| { readonly op: "create"; readonly record: LeaseRecord }
	| {
			readonly op: "replace";
			readonly record: LeaseRecord;
			readonly resourceVersion: string;
	  }
	| { readonly op: "wait" };

/** What came of it. */
export type LeaseAnswer =
	/** To a read. */
	| { readonly op: "found"; readonly lease: StoredLease }
	| { readonly op: "missing" }
	/** To a write. */
	| { readonly op: "written"; readonly lease: StoredLease }
	/** To a write: somebody else was faster, or the Lease is gone. */
	| { readonly op: "conflict" }
	/** To anything: it may have been done or not. */
	| { readonly op: "failed" };

/** Knows nothing, holds nothing. */
export const newCandidacy: Candidacy = {
	seen: undefined,
	isCurrent: false,
	held: undefined,
};

/** Begins a round: the holder renews what it knows to be its own, everybody else looks first. */
export function startRound(candidacy: Candidacy): Candidacy {
	return candidacy.held === undefined
		? { ...candidacy, isCurrent: false }
		: candidacy;
}

/** What a contender does at a moment; `wait` ends the round. */
export function decideLease(
	candidacy: Candidacy,
	self: { readonly identity: string; readonly times: LeaseTimes },
	now: Moment,
): LeaseStep {
	const { seen, isCurrent } = candidacy;
	if (seen === undefined || !isCurrent) return { op: "read" };
	const { lease, sinceMs } = seen;
	// While it is held nobody else can have had it, so a deleted one is still ours; after that somebody can.
	const isOurs =
		lease === undefined
			? isHeld(candidacy, self.times, now)
			: lease.holder === self.identity;
	const silenceMs = Math.max(
		self.times.durationMs,
		(lease?.durationSeconds ?? 0) * 1000,
	);
	const isFree =
		isOurs || lease?.holder === "" || now.monotonicMs - sinceMs >= silenceMs;
	if (!isFree) return { op: "wait" };
	const time = printMicroTime(now.wallMs);
	const isRenewal = lease?.holder === self.identity;
	const record: LeaseRecord = {
		holder: self.identity,
		durationSeconds: Math.ceil(self.times.durationMs / 1000),
		acquireTime: isRenewal ? lease.acquireTime : time,
		renewTime: time,
		transitions:
			lease === undefined ? 0 : lease.transitions + (isRenewal ? 0 : 1),
	};
	return lease === undefined
		? { op: "create", record }
		: { op: "replace", record, resourceVersion: lease.resourceVersion };
}

/**
 * What a contender knows after an answer.
 *
 * @param sent when the request was sent
 * @param now when its answer came
 */
export function learn(
	before: Candidacy,
	answer: LeaseAnswer,
	identity: string,
	{ sent, now }: { readonly sent: Moment; readonly now: Moment },
): Candidacy {
	switch (answer.op) {
		case "found":
			return {
				seen: sight(before.seen, answer.lease, now.monotonicMs),
				isCurrent: true,
				held: answer.lease.holder === identity ? before.held : undefined,
			};
		case "missing":
			// Whoever held it before it was deleted may not have noticed yet.
			return {
				seen: sight(before.seen, undefined, now.monotonicMs),
				isCurrent: true,
				held: before.held,
			};
		case "written":
			return {
				seen: { lease: answer.lease, sinceMs: now.monotonicMs },
				isCurrent: true,
				held: answer.lease.holder === identity ? sent : undefined,
			};
		case "conflict":
			// Somebody was faster, perhaps a write of our own whose answer was lost. What is held lasts until its deadline.
			return {
				...before,
				// Where there was no Lease there is one now, and it may be gone again at the next look.
				seen: before.seen?.lease
					? before.seen
					: { lease: undefined, sinceMs: now.monotonicMs },
				isCurrent: false,
			};
		case "failed":
			return { ...before, isCurrent: false };
	}
}

function sight(
	before: SeenLease | undefined,
	lease: StoredLease | undefined,
	nowMs: number,
): SeenLease {
	if (before === undefined)
		return {
			lease,
			sinceMs: lease === undefined ? Number.NEGATIVE_INFINITY : nowMs,
		};
	return before.lease?.resourceVersion === lease?.resourceVersion
		? { lease, sinceMs: before.sinceMs }
		: { lease, sinceMs: nowMs };
}

/**
 * Whether the holder may write at this moment.
 *
 * Guarantees: false once the renew deadline has passed by either clock, whatever
 *   happened to the process or the machine in between.
 */
export function isHeld(
	{ held }: Candidacy,
	{ renewDeadlineMs }: LeaseTimes,
	now: Moment,
): boolean {
	return (
		held !== undefined &&
		now.monotonicMs - held.monotonicMs < renewDeadlineMs &&
		now.wallMs - held.wallMs < renewDeadlineMs
	);
}

/** What a holder leaves behind when it stops, so that nobody has to wait. */
export function releasedRecord(
	lease: StoredLease,
	wallMs: number,
): LeaseRecord {
	const time = printMicroTime(wallMs);
	return {
		holder: "",
		durationSeconds: 1,
		acquireTime: time,
		renewTime: time,
		transitions: lease.transitions,
	};
}

/** Kubernetes' `MicroTime`. */
export function printMicroTime(ms: number): string {
	return `${new Date(ms).toISOString().slice(0, -1)}000Z`;
}
