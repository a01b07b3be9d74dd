import { expect } from "chai";
import fc from "fast-check";
import {
	type Candidacy,
	decideLease,
	isHeld,
	type LeaseAnswer,
	type LeaseRecord,
	type LeaseStep,
	type LeaseTimes,
	learn,
	type Moment,
	newCandidacy,
	releasedRecord,
	type StoredLease,
	startRound,
} from "./lease.ts";

const times: LeaseTimes = {
	durationMs: 15_000,
	renewDeadlineMs: 10_000,
	retryMs: 2000,
};

function at(monotonicMs: number, wallMs = monotonicMs): Moment {
	return { monotonicMs, wallMs };
}

function stored(fields: Partial<StoredLease>): StoredLease {
	return {
		holder: "b",
		durationSeconds: 15,
		acquireTime: "2026-01-01T00:00:00.000000Z",
		renewTime: "2026-01-01T00:00:00.000000Z",
		transitions: 3,
		resourceVersion: "7",
		...fields,
	};
}

function seenSince(
	lease: StoredLease | undefined,
	sinceMs: number,
	held?: Moment,
): Candidacy {
	return { seen: { lease, sinceMs }, isCurrent: true, held };
}

describe("decideLease", () => {
	const self = { identity: "a", times };
	const cases = [
		{ name: "looks first", from: newCandidacy, nowMs: 0, want: "read" },
		{
			name: "creates a Lease that never was",
			from: seenSince(undefined, Number.NEGATIVE_INFINITY),
			nowMs: 0,
			want: "create",
		},
		{
			name: "waits after a Lease was deleted, as its holder may not know",
			from: seenSince(undefined, 0),
			nowMs: 14_999,
			want: "wait",
		},
		{
			name: "creates a deleted Lease after the duration",
			from: seenSince(undefined, 0),
			nowMs: 15_000,
			want: "create",
		},
		{
			name: "creates a deleted Lease that was its own at once",
			from: seenSince(undefined, 0, at(0)),
			nowMs: 9999,
			want: "create",
		},
		{
			name: "waits for a deleted Lease that was its own too long ago",
			from: seenSince(undefined, 0, at(0)),
			nowMs: 10_000,
			want: "wait",
		},
		{
			name: "waits for a holder that may be alive",
			from: seenSince(stored({}), 0),
			nowMs: 14_999,
			want: "wait",
		},
		{
			name: "takes over from a holder that was silent for the duration",
			from: seenSince(stored({}), 0),
			nowMs: 15_000,
			want: "replace",
		},
		{
			name: "waits as long as the holder's own duration says",
			from: seenSince(stored({ durationSeconds: 60 }), 0),
			nowMs: 59_999,
			want: "wait",
		},
		{
			name: "waits its own duration for a holder that says less",
			from: seenSince(stored({ durationSeconds: 1 }), 0),
			nowMs: 14_999,
			want: "wait",
		},
		{
			name: "takes a released Lease at once",
			from: seenSince(stored({ holder: "" }), 0),
			nowMs: 0,
			want: "replace",
		},
		{
			name: "renews its own without looking",
			from: startRound(seenSince(stored({ holder: "a" }), 0, at(0))),
			nowMs: 2000,
			want: "replace",
		},
		{
			name: "looks before every decision about another's",
			from: startRound(seenSince(stored({}), 0)),
			nowMs: 99_000,
			want: "read",
		},
	] as const;
	for (const { name, from, nowMs, want } of cases)
		it(name, () => {
			expect(decideLease(from, self, at(nowMs)).op).to.equal(want);
		});

	it("counts a takeover as a transition and a renewal as none", () => {
		const record = (from: Candidacy): LeaseRecord | undefined => {
			const step = decideLease(from, self, at(20_000));
			return step.op === "replace" ? step.record : undefined;
		};
		const taken = record(seenSince(stored({}), 0));
		expect(taken).to.include({ holder: "a", transitions: 4 });
		expect(taken?.acquireTime).to.equal("1970-01-01T00:00:20.000000Z");
		const renewed = record(seenSince(stored({ holder: "a" }), 0, at(18_000)));
		expect(renewed).to.include({ holder: "a", transitions: 3 });
		expect(renewed?.acquireTime).to.equal("2026-01-01T00:00:00.000000Z");
	});
});

describe("isHeld", () => {
	const held = seenSince(stored({ holder: "a" }), 0, at(0));

	it("ends with the renew deadline", () => {
		expect(isHeld(held, times, at(9999))).to.equal(true);
		expect(isHeld(held, times, at(10_000))).to.equal(false);
	});

	it("ends when the machine slept, which only its wall clock noticed", () => {
		expect(isHeld(held, times, at(1, 3_600_000))).to.equal(false);
	});

	it("lasts when the wall clock is set back", () => {
		expect(isHeld(held, times, at(9999, -3_600_000))).to.equal(true);
	});

	it("counts from when the renewal was sent, not from when it was answered", () => {
		const after = learn(
			held,
			{ op: "written", lease: stored({ holder: "a" }) },
			"a",
			{ sent: at(5000), now: at(9000) },
		);
		expect(isHeld(after, times, at(14_999))).to.equal(true);
		expect(isHeld(after, times, at(15_000))).to.equal(false);
	});

	it("ends when another holder is seen", () => {
		const after = learn(held, { op: "found", lease: stored({}) }, "a", {
			sent: at(1),
			now: at(2),
		});
		expect(isHeld(after, times, at(3))).to.equal(false);
	});

	it("outlives a lost answer until the deadline", () => {
		const after = learn(held, { op: "failed" }, "a", {
			sent: at(1),
			now: at(2),
		});
		expect(isHeld(after, times, at(9999))).to.equal(true);
		expect(isHeld(after, times, at(10_000))).to.equal(false);
	});
});

/*
 * A model of several contenders around one server. True time is the model's; each
 * contender has a monotonic clock with a rate of its own and a wall clock that
 * jumps. Requests take time both ways and get lost either way; processes freeze
 * and go on with whatever they were at.
 */

interface Contender {
	readonly id: string;
	readonly rate: number;
	wallOffsetMs: number;
	frozenUntilMs: number;
	cutUntilMs: number;
	candidacy: Candidacy;
	isStopped: boolean;
}

interface Pending {
	readonly atMs: number;
	readonly order: number;
	readonly run: () => void;
	/** Whose process must run for it. */
	readonly who: Contender | undefined;
}

type Fault =
	| { readonly op: "freeze"; readonly who: number; readonly forMs: number }
	| { readonly op: "cut"; readonly who: number; readonly forMs: number }
	| { readonly op: "jump"; readonly who: number; readonly byMs: number }
	| { readonly op: "stop"; readonly who: number }
	| { readonly op: "delete" }
	| { readonly op: "touch" };

interface Scenario {
	readonly rates: readonly number[];
	readonly faults: readonly { readonly atMs: number; readonly fault: Fault }[];
	readonly delays: readonly number[];
	readonly losses: readonly number[];
}

class Model {
	nowMs = 0;
	leaders: { readonly atMs: number; readonly id: string }[] = [];
	doubles: string[] = [];
	#lease: StoredLease | undefined;
	#version = 0;
	#order = 0;
	#draws = 0;
	#queue: Pending[] = [];
	readonly contenders: readonly Contender[];
	readonly #scenario: Scenario;

	constructor(scenario: Scenario) {
		this.#scenario = scenario;
		this.contenders = scenario.rates.map((rate, index) => ({
			id: `c${index}`,
			rate,
			wallOffsetMs: index * 1_000_000,
			frozenUntilMs: 0,
			cutUntilMs: 0,
			candidacy: newCandidacy,
			isStopped: false,
		}));
		for (const [index, who] of this.contenders.entries())
			this.#after(index * 100, who, () => this.#round(who));
		for (const { atMs, fault } of scenario.faults)
			this.#after(atMs, undefined, () => this.#suffer(fault));
	}

	run(untilMs: number): void {
		for (;;) {
			this.#queue.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
			const next = this.#queue[0];
			if (next === undefined || next.atMs > untilMs) return;
			this.#queue.shift();
			this.nowMs = Math.max(this.nowMs, next.atMs);
			const wakeMs = next.who?.frozenUntilMs ?? 0;
			if (wakeMs > this.nowMs) {
				this.#queue.push({ ...next, atMs: wakeMs });
				continue;
			}
			next.run();
			this.#look();
		}
	}

	leadersNow(): readonly string[] {
		return this.contenders
			.filter(
				(one) =>
					!one.isStopped && isHeld(one.candidacy, times, this.#moment(one)),
			)
			.map(({ id }) => id);
	}

	#look(): void {
		const leaders = this.leadersNow();
		if (leaders.length > 1)
			this.doubles.push(`${this.nowMs}: ${leaders.join(" and ")}`);
		for (const id of leaders) this.leaders.push({ atMs: this.nowMs, id });
	}

	#suffer(fault: Fault): void {
		const who =
			"who" in fault
				? this.contenders[fault.who % this.contenders.length]
				: undefined;
		switch (fault.op) {
			case "delete":
				// A Lease that a contender has not seen yet cannot be missed by it.
				if (this.contenders.every(({ candidacy }) => candidacy.seen?.lease))
					this.#lease = undefined;
				return;
			case "touch":
				// Somebody labels the Lease.
				if (this.#lease !== undefined) this.#store(this.#lease);
				return;
			case "freeze":
				if (who) who.frozenUntilMs = this.nowMs + fault.forMs;
				return;
			case "cut":
				if (who) who.cutUntilMs = this.nowMs + fault.forMs;
				return;
			case "jump":
				if (who) who.wallOffsetMs += fault.byMs;
				return;
			case "stop":
				if (who) this.#stop(who);
				return;
		}
	}

	#stop(who: Contender): void {
		const { seen, held, isCurrent } = who.candidacy;
		if (who.isStopped || this.#isFrozen(who)) return;
		who.isStopped = true;
		if (held === undefined || !isCurrent || seen?.lease === undefined) return;
		const { lease } = seen;
		this.#send(
			who,
			{
				op: "replace",
				resourceVersion: lease.resourceVersion,
				record: releasedRecord(lease, 0),
			},
			() => undefined,
		);
	}

	#isFrozen(who: Contender): boolean {
		return who.frozenUntilMs > this.nowMs;
	}

	#round(who: Contender): void {
		who.candidacy = startRound(who.candidacy);
		this.#step(who, 0);
	}

	#step(who: Contender, taken: number): void {
		if (who.isStopped) return;
		const sent = this.#moment(who);
		const again = (): void =>
			this.#after(times.retryMs / who.rate, who, () => this.#round(who));
		const step = decideLease(who.candidacy, { identity: who.id, times }, sent);
		if (step.op === "wait" || taken === 5) {
			again();
			return;
		}
		let isOver = false;
		const take = (answer: LeaseAnswer): void => {
			if (isOver || who.isStopped) return;
			isOver = true;
			const now = this.#moment(who);
			who.candidacy = learn(who.candidacy, answer, who.id, { sent, now });
			if (answer.op === "failed" || answer.op === "written") again();
			else this.#step(who, taken + 1);
		};
		this.#after(5000 / who.rate, who, () => take({ op: "failed" }));
		this.#send(who, step, take);
	}

	/** There and back again, each with a delay; either may get lost. */
	#send(
		who: Contender,
		step: Exclude<LeaseStep, { readonly op: "wait" }>,
		take: (answer: LeaseAnswer) => void,
	): void {
		if (this.#isCut(who) || this.#isLost()) return;
		this.#after(this.#delay(), undefined, () => {
			const answer = this.#serve(step);
			if (this.#isCut(who) || this.#isLost()) return;
			this.#after(this.#delay(), who, () => take(answer));
		});
	}

	#isCut(who: Contender): boolean {
		return who.cutUntilMs > this.nowMs;
	}

	#isLost(): boolean {
		return this.#draw(this.#scenario.losses) < 10;
	}

	#delay(): number {
		return this.#draw(this.#scenario.delays);
	}

	#draw(from: readonly number[]): number {
		this.#draws += 1;
		return from[this.#draws % from.length] ?? 0;
	}

	#serve(step: Exclude<LeaseStep, { readonly op: "wait" }>): LeaseAnswer {
		switch (step.op) {
			case "read":
				return this.#lease === undefined
					? { op: "missing" }
					: { op: "found", lease: this.#lease };
			case "create":
				return this.#lease === undefined
					? this.#store(step.record)
					: { op: "conflict" };
			case "replace":
				return this.#lease?.resourceVersion === step.resourceVersion
					? this.#store(step.record)
					: { op: "conflict" };
		}
	}

	#store(record: LeaseRecord): LeaseAnswer {
		this.#version += 1;
		this.#lease = { ...record, resourceVersion: String(this.#version) };
		return { op: "written", lease: this.#lease };
	}

	#moment(who: Contender): Moment {
		const monotonicMs = this.nowMs * who.rate;
		return { monotonicMs, wallMs: monotonicMs + who.wallOffsetMs };
	}

	#after(delayMs: number, who: Contender | undefined, run: () => void): void {
		this.#order += 1;
		this.#queue.push({
			atMs: this.nowMs + delayMs,
			order: this.#order,
			who,
			run,
		});
	}
}

const who = fc.nat(3);
const faults = fc.array(
	fc.record({
		atMs: fc.integer({ min: 0, max: 110_000 }),
		fault: fc.oneof(
			fc.record({
				op: fc.constant("freeze" as const),
				who,
				forMs: fc.integer({ min: 1, max: 40_000 }),
			}),
			fc.record({
				op: fc.constant("cut" as const),
				who,
				forMs: fc.integer({ min: 1, max: 40_000 }),
			}),
			fc.record({
				op: fc.constant("jump" as const),
				who,
				byMs: fc.integer({ min: -5_000_000, max: 5_000_000 }),
			}),
			fc.record({ op: fc.constant("stop" as const), who }),
			fc.constant({ op: "delete" as const }),
			fc.constant({ op: "touch" as const }),
		),
	}),
	{ maxLength: 12 },
);
const scenarios: fc.Arbitrary<Scenario> = fc.record({
	rates: fc.array(fc.double({ min: 0.9, max: 1.1, noNaN: true }), {
		minLength: 2,
		maxLength: 4,
	}),
	faults,
	delays: fc.array(fc.integer({ min: 1, max: 5000 }), {
		minLength: 3,
		maxLength: 17,
	}),
	losses: fc.array(fc.nat(100), { minLength: 3, maxLength: 13 }),
});

describe("contenders for a Lease", () => {
	it("never lead two at a time, whatever freezes, is cut off, jumps or gets lost", () => {
		let led = 0;
		fc.assert(
			fc.property(scenarios, (scenario) => {
				const model = new Model(scenario);
				model.run(120_000);
				led += new Set(model.leaders.map(({ id }) => id)).size;
				expect(model.doubles).to.deep.equal([]);
			}),
			{ numRuns: 2000 },
		);
		// Nobody leading would be safe, too.
		expect(led).to.be.greaterThan(1000);
	});

	it("replace a leader that stays frozen, within the duration and a look", () => {
		const model = new Model({
			rates: [1, 1],
			faults: [{ atMs: 5000, fault: { op: "freeze", who: 0, forMs: 60_000 } }],
			delays: [1],
			losses: [100],
		});
		model.run(4999);
		expect(model.leadersNow()).to.deep.equal(["c0"]);
		model.run(23_000);
		expect(model.leadersNow()).to.deep.equal(["c1"]);
		model.run(70_000);
		expect(model.leadersNow()).to.deep.equal(["c1"]);
	});

	it("replace a leader that stops at the next look", () => {
		const model = new Model({
			rates: [1, 1],
			faults: [{ atMs: 5000, fault: { op: "stop", who: 0 } }],
			delays: [1],
			losses: [100],
		});
		model.run(7500);
		expect(model.leadersNow()).to.deep.equal(["c1"]);
	});

	it("keep the leader when its wall clock is set, its Lease labelled or deleted", () => {
		const model = new Model({
			rates: [1, 1],
			faults: [
				{ atMs: 5000, fault: { op: "jump", who: 0, byMs: -9_000_000 } },
				{ atMs: 9000, fault: { op: "touch" } },
				{ atMs: 15_000, fault: { op: "delete" } },
			],
			delays: [1],
			losses: [100],
		});
		for (let ms = 3000; ms < 40_000; ms += 500) {
			model.run(ms);
			expect(model.leadersNow(), String(ms)).to.deep.equal(["c0"]);
		}
	});
});
