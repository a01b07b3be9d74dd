import { isRecord } from "../api/fields.ts";
import type { Clock } from "../lib/clock.ts";
import { pause } from "../lib/pause.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import type {
	Counter,
	Gauge,
	MetricsRegistry,
} from "../observability/metrics.ts";
import { KubeError } from "./kube-error.ts";
import type { KubeObject } from "./kube-object.ts";
import {
	type Candidacy,
	decideLease,
	defaultLeaseTimes,
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
import type { ObjectClient, ObjectPlace } from "./object-client.ts";
import { resources } from "./resources.ts";

/** Says whether this replica may write. */
export interface Leader {
	/**
	 * Asked right before each write.
	 *
	 * Guarantees: false as soon as the renew deadline has passed by this machine's clocks, also when the process was frozen until now.
	 */
	isLeader(): boolean;
	/** The same for whoever wants to begin or end something; it goes through false whenever another replica may have led in between. */
	readonly state: Signal<boolean>;
}

/** What a contender works with. */
export interface LeadershipParts {
	readonly client: ObjectClient;
	/** The Lease. */
	readonly at: ObjectPlace;
	/** Unlike that of any other process, ever: `<pod>_<uuid>`. */
	readonly identity: string;
	/** Same for all contenders; `defaultLeaseTimes` when left out. */
	readonly times?: LeaseTimes;
	readonly clock: Clock;
	/** From 0 to 1, so that contenders do not all look at the same moment. */
	readonly random: () => number;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/** Share of the time between two looks that is added at random. */
const jitter = 0.2;

/** What a round may take: a look, a write, and both again after a conflict. */
const maxSteps = 5;

/** Contends for a Lease; see `lease.ts` for the rules. */
export class Leadership implements Leader {
	readonly #parts: LeadershipParts;
	readonly #times: LeaseTimes;
	readonly #state = new WritableSignal(false);
	readonly #problem = new WritableSignal<KubeError | undefined>(undefined);
	readonly #leads: Gauge;
	readonly #transitions: Counter<"to">;
	readonly #failures: Counter;
	#candidacy: Candidacy = newCandidacy;
	#cancelDeadline: (() => void) | undefined;
	#isStopped = false;
	#failed = 0;

	constructor(parts: LeadershipParts) {
		this.#parts = parts;
		this.#times = parts.times ?? defaultLeaseTimes;
		this.#leads = parts.metrics.gauge(
			"lateen_leader",
			"1 on the replica that writes to Kubernetes, 0 on the others.",
		);
		this.#transitions = parts.metrics.counter(
			"lateen_leader_transitions_total",
			"How often this replica began to lead (to leader) and no longer did (to follower).",
			["to"],
		);
		for (const to of ["leader", "follower"]) this.#transitions.add(0, { to });
		this.#failures = parts.metrics.counter(
			"lateen_lease_failures_total",
			"Requests about the leader's Lease that failed.",
		);
	}

	get state(): Signal<boolean> {
		return this.#state;
	}

	/** Why the Lease can be neither had nor seen at the moment. */
	get problem(): Signal<KubeError | undefined> {
		return this.#problem;
	}

	isLeader(): boolean {
		return (
			!this.#isStopped && isHeld(this.#candidacy, this.#times, this.#moment())
		);
	}

	/** Who holds the Lease, as far as this replica knows. */
	get holder(): string | undefined {
		return this.#candidacy.seen?.lease?.holder;
	}

	/**
	 * Contends until aborted, then gives the Lease back.
	 *
	 * Expects: to be called once; what needs leadership has stopped before it is aborted.
	 * Fails when: never.
	 */
	async run(signal: AbortSignal): Promise<void> {
		const { clock, random } = this.#parts;
		while (!signal.aborted) {
			await this.#round(signal);
			const untilNextMs = this.#times.retryMs * (1 + jitter * random());
			await pause(clock, untilNextMs, signal);
		}
		const { seen, held, isCurrent } = this.#candidacy;
		this.#isStopped = true;
		this.#publish();
		if (held === undefined || !isCurrent || seen?.lease === undefined) return;
		await this.#ask(
			{
				op: "replace",
				record: releasedRecord(seen.lease, clock.nowMs()),
				resourceVersion: seen.lease.resourceVersion,
			},
			new AbortController().signal,
		);
	}

	async #round(signal: AbortSignal): Promise<void> {
		const { identity } = this.#parts;
		this.#candidacy = startRound(this.#candidacy);
		for (let taken = 0; taken < maxSteps; taken += 1) {
			const sent = this.#moment();
			const step = decideLease(
				this.#candidacy,
				{ identity, times: this.#times },
				sent,
			);
			if (step.op === "wait") return;
			const answer = await this.#ask(step, signal);
			if (signal.aborted && answer.op === "failed") return;
			const now = this.#moment();
			this.#candidacy = learn(this.#candidacy, answer, identity, { sent, now });
			this.#publish();
			if (answer.op === "failed" || answer.op === "written") return;
		}
	}

	/** One request, in no more time than leaves room for another before the deadline. */
	async #ask(
		step: Exclude<LeaseStep, { readonly op: "wait" }>,
		signal: AbortSignal,
	): Promise<LeaseAnswer> {
		const { clock } = this.#parts;
		const timeoutMs = this.#times.renewDeadlineMs / 2;
		const late = new AbortController();
		const cancel = clock.after(timeoutMs, () =>
			late.abort(
				new KubeError(
					"KUBE_SILENT",
					`The API server did not answer within ${timeoutMs / 1000} s about the Lease. Look at its load.`,
				),
			),
		);
		try {
			const answer = await this.#request(step, {
				timeoutMs,
				signal: AbortSignal.any([signal, late.signal]),
			});
			if (this.#failed > 0)
				this.#parts.logger.info("The leader's Lease can be reached again.");
			this.#failed = 0;
			this.#problem.set(undefined);
			return answer;
		} catch (error) {
			return this.#failure(step, error, signal);
		} finally {
			cancel();
		}
	}

	async #request(
		step: Exclude<LeaseStep, { readonly op: "wait" }>,
		options: { readonly timeoutMs: number; readonly signal: AbortSignal },
	): Promise<LeaseAnswer> {
		const { client, at } = this.#parts;
		switch (step.op) {
			case "read":
				return {
					op: "found",
					lease: parseLease(await client.get(resources.Lease, at, options)),
				};
			case "create":
				return {
					op: "written",
					lease: parseLease(
						await client.create(
							resources.Lease,
							at.namespace,
							{
								metadata: { name: at.name, namespace: at.namespace },
								spec: printSpec(step.record),
							},
							options,
						),
					),
				};
			case "replace":
				return {
					op: "written",
					lease: parseLease(
						await client.replace(
							resources.Lease,
							at,
							{
								metadata: {
									name: at.name,
									namespace: at.namespace,
									resourceVersion: step.resourceVersion,
								},
								spec: printSpec(step.record),
							},
							options,
						),
					),
				};
		}
	}

	#failure(step: LeaseStep, error: unknown, signal: AbortSignal): LeaseAnswer {
		const code = error instanceof KubeError ? error.code : undefined;
		if (code === "KUBE_NOT_FOUND" && step.op === "read")
			return { op: "missing" };
		if (code === "KUBE_NOT_FOUND" && step.op === "replace")
			return { op: "conflict" };
		if (code === "KUBE_CONFLICT") return { op: "conflict" };
		if (signal.aborted) return { op: "failed" };
		this.#failures.add();
		if (this.#failed === 0)
			this.#parts.logger.warn(
				"The leader's Lease cannot be reached. Proxies are served as before; nothing is written to Kubernetes by whoever cannot renew it.",
				{ error },
			);
		this.#failed += 1;
		if (error instanceof KubeError) this.#problem.set(error);
		return { op: "failed" };
	}

	/** Tells what is true now, and plans to tell when it ends by itself. */
	#publish(): void {
		const { clock, logger, identity } = this.#parts;
		const isLeader = this.isLeader();
		const { held } = this.#candidacy;
		this.#cancelDeadline?.();
		this.#cancelDeadline = undefined;
		if (isLeader && held !== undefined) {
			const leftMs =
				held.monotonicMs + this.#times.renewDeadlineMs - clock.monotonicMs();
			this.#cancelDeadline = clock.after(Math.max(0, leftMs), () =>
				this.#publish(),
			);
		}
		if (isLeader !== this.#state.value) {
			this.#leads.set(isLeader ? 1 : 0);
			this.#transitions.add(1, { to: isLeader ? "leader" : "follower" });
			if (isLeader) logger.info("This replica leads.", { identity });
			else if (this.#isStopped) logger.info("This replica gives up the lead.");
			else
				logger.warn("This replica no longer leads.", { holder: this.holder });
		}
		this.#state.set(isLeader);
	}

	#moment(): Moment {
		const { clock } = this.#parts;
		return { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() };
	}
}

/** Lenient: what others wrote into it must not stop an election. */
function parseLease({ content, metadata }: KubeObject): StoredLease {
	const spec = isRecord(content["spec"]) ? content["spec"] : {};
	const text = (name: string): string => {
		const value = spec[name];
		return typeof value === "string" ? value : "";
	};
	const count = (name: string): number => {
		const value = spec[name];
		return typeof value === "number" && Number.isSafeInteger(value) ? value : 0;
	};
	return {
		holder: text("holderIdentity"),
		durationSeconds: count("leaseDurationSeconds"),
		acquireTime: text("acquireTime"),
		renewTime: text("renewTime"),
		transitions: count("leaseTransitions"),
		resourceVersion: metadata.resourceVersion,
	};
}

function printSpec(record: LeaseRecord): Readonly<Record<string, unknown>> {
	return {
		holderIdentity: record.holder,
		leaseDurationSeconds: record.durationSeconds,
		...(record.acquireTime !== "" && { acquireTime: record.acquireTime }),
		renewTime: record.renewTime,
		leaseTransitions: record.transitions,
	};
}
