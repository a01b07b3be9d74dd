/*
 * Asks the API server whose token it is, as seldom as possible:
 *
 *   token ─▶ looks like ours? ─▶ known and fresh? ─▶ asked already? ─▶ queue ─▶ TokenReview
 *            no: refused         yes: answered       yes: joins it
 *
 * Tokens are kept as their SHA-256 only. When the API server cannot be asked, a
 * token that it has vouched for a while ago is still good: nobody can delete a
 * pod meanwhile either.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import { isCancelled } from "../lib/is-cancelled.ts";
import type { Logger } from "../observability/logger.ts";
import type { MetricsRegistry } from "../observability/metrics.ts";
import type { KubeConnection } from "./connection.ts";
import { errorOf } from "./error-of.ts";
import { KubeError } from "./kube-error.ts";
import { readBounded, readFailure } from "./read-bounded.ts";
import {
	parseTokenClaims,
	parseTokenReview,
	type TokenVerdict,
	wrongAudience,
} from "./reviewed-token.ts";

/** How often the API server is asked, and how long its word counts. All times in milliseconds. */
export interface TokenReviewLimits {
	/** An accepted token is not asked about again for so long, or until it expires. */
	readonly freshMs: number;
	/** A refused token is not asked about again for so long: the API server itself may be a moment behind. */
	readonly refusedMs: number;
	/** While the API server cannot be asked, a token that it accepted is good for so long, or until it expires. */
	readonly graceMs: number;
	/** Tokens that are remembered, accepted and refused ones apart. Each takes about 500 bytes. */
	readonly maxKnown: number;
	/** Requests at a time. */
	readonly maxAtOnce: number;
	/** Requests in a second, once the burst is spent: made-up tokens must not keep the API server busy. */
	readonly maxPerSecond: number;
	/** Requests that may come at once after a quiet time. */
	readonly burst: number;
	/** Tokens that wait for their turn; beyond, their bearers are asked to come again. */
	readonly maxWaiting: number;
	/** Time for one answer. */
	readonly timeoutMs: number;
}

/**
 * Defaults for some thousands of proxies, which all come at once after a
 * restart: the first 2,000 within a second, 5,000 within seven.
 */
export const defaultTokenReviewLimits: TokenReviewLimits = {
	freshMs: 60_000,
	refusedMs: 10_000,
	graceMs: 3_600_000,
	maxKnown: 20_000,
	maxAtOnce: 16,
	maxPerSecond: 500,
	burst: 2_000,
	maxWaiting: 10_000,
	timeoutMs: 10_000,
};

/** What a `TokenReviewer` is made from. */
export interface TokenReviewerOptions {
	readonly connection: KubeConnection;
	/** For whom tokens must be meant: `lateen.dev`. */
	readonly audience: string;
	/** Whose tokens they are: those of proxies must be bound to a pod. By default `proxies`. */
	readonly of?: "proxies" | "readers";
	readonly clock: Clock;
	readonly log: Logger;
	readonly metrics: MetricsRegistry;
	/** Instead of the defaults. */
	readonly limits?: Partial<TokenReviewLimits>;
}

type Accepted = Extract<TokenVerdict, { readonly owner: unknown }>;

interface Known<Verdict> {
	readonly verdict: Verdict;
	/** Monotonic; from when on the API server is to be asked again. */
	readonly freshUntilMs: number;
	/** Monotonic; from when on it counts no more. */
	readonly goodUntilMs: number;
}

const path = "/apis/authentication.k8s.io/v1/tokenreviews";
const asked = {
	verb: "create",
	namespace: "",
	resource: {
		group: "authentication.k8s.io",
		version: "v1",
		plural: "tokenreviews",
		kind: "TokenReview",
		isNamespaced: false,
	},
} as const;

const maxAnswerBytes = 64 * 1024;

/** While the API server cannot be asked, one line in this time says so. */
const warnEveryMs = 30_000;

/** Tells whose token it is. */
export class TokenReviewer implements Disposable {
	readonly #options: TokenReviewerOptions;
	readonly #limits: TokenReviewLimits;
	readonly #accepted: LeastRecentlyUsed<Known<Accepted>>;
	readonly #refused: LeastRecentlyUsed<Known<TokenVerdict>>;
	/** Reviews under way or waiting, by the token's hash. */
	readonly #pending = new Map<string, Promise<TokenVerdict>>();
	readonly #waiting: (() => void)[] = [];
	readonly #stopping = new AbortController();
	readonly #count: (outcome: string) => void;
	#running = 0;
	/** Monotonic; when the next would come if all came evenly. */
	#nextMs = 0;
	#quietUntilMs = 0;

	constructor(options: TokenReviewerOptions) {
		this.#options = options;
		this.#limits = { ...defaultTokenReviewLimits, ...options.limits };
		this.#accepted = new LeastRecentlyUsed(this.#limits.maxKnown);
		this.#refused = new LeastRecentlyUsed(this.#limits.maxKnown);
		const of = options.of ?? "proxies";
		const counter = options.metrics.counter(
			"lateen_token_reviews_total",
			"Tokens that were shown, by whose they were to be (proxies or readers) and by what the API server said or why it was not asked.",
			["of", "outcome"],
		);
		this.#count = (outcome) => counter.add(1, { of, outcome });
	}

	/**
	 * Whose token it is.
	 *
	 * Guarantees: never throws; equal tokens that come together are asked about
	 *   once; an answer says only what the API server has vouched for within
	 *   `freshMs`, or within `graceMs` while it cannot be asked.
	 */
	review(token: string): Promise<TokenVerdict> {
		const { audience, clock } = this.#options;
		const claims = parseTokenClaims(token);
		if (claims === undefined) {
			return this.#answer("malformed", {
				refusal:
					"The token is not one of Kubernetes. Give the proxy the token of its pod, from a projected volume.",
			});
		}
		if (!claims.audiences.includes(audience)) {
			return this.#answer("malformed", { refusal: wrongAudience(audience) });
		}
		const hash = createHash("sha256").update(token).digest("base64");
		const nowMs = clock.monotonicMs();
		const known = this.#accepted.get(hash) ?? this.#refused.get(hash);
		if (known !== undefined && nowMs < known.freshUntilMs) {
			return this.#answer("known", known.verdict);
		}
		const pending = this.#pending.get(hash);
		if (pending !== undefined) return pending;
		if (this.#waiting.length >= this.#limits.maxWaiting) {
			return this.#answer(
				"crowded",
				this.#knownGood(hash) ?? {
					unavailable:
						"Too many proxies wait for their tokens to be checked. Try again.",
				},
			);
		}
		const review = this.#ask(token, hash).finally(() =>
			this.#pending.delete(hash),
		);
		this.#pending.set(hash, review);
		return review;
	}

	/** Ends what is under way; those who wait are told to try again. */
	[Symbol.dispose](): void {
		this.#stopping.abort();
	}

	async #ask(token: string, hash: string): Promise<TokenVerdict> {
		await this.#turn();
		try {
			const verdict = await this.#request(token);
			this.#remember(hash, verdict);
			this.#count(
				"owner" in verdict
					? "accepted"
					: "refusal" in verdict
						? "refused"
						: "failed",
			);
			return "unavailable" in verdict
				? (this.#knownGood(hash) ?? verdict)
				: verdict;
		} catch (error) {
			this.#count("failed");
			this.#warn(error);
			return (
				this.#knownGood(hash) ?? {
					unavailable:
						"The token cannot be checked, because the API server cannot be asked now. Try again.",
				}
			);
		} finally {
			const next = this.#waiting.shift();
			if (next === undefined) this.#running -= 1;
			else next();
		}
	}

	/** Resolves when this review may ask, which takes one of the places. */
	async #turn(): Promise<void> {
		if (this.#running >= this.#limits.maxAtOnce) {
			// Whoever ends hands its place on.
			await new Promise<void>((resolve) => this.#waiting.push(resolve));
		} else this.#running += 1;
		const delayMs = this.#pace();
		if (delayMs <= 0) return;
		await new Promise<void>((resolve) =>
			this.#options.clock.after(Math.ceil(delayMs), resolve),
		);
	}

	/** Takes the next moment at which one more may be asked about; answers how far away it is. */
	#pace(): number {
		const { maxPerSecond, burst } = this.#limits;
		const nowMs = this.#options.clock.monotonicMs();
		const delayMs = this.#nextMs - nowMs - ((burst - 1) * 1000) / maxPerSecond;
		this.#nextMs = Math.max(nowMs, this.#nextMs) + 1000 / maxPerSecond;
		return delayMs;
	}

	async #request(token: string): Promise<TokenVerdict> {
		try {
			return await this.#requestOnce(token);
		} catch (error) {
			// A kept connection may have been closed under it; asking twice changes nothing.
			const isWorthIt =
				error instanceof KubeError && error.code === "KUBE_UNREACHABLE";
			if (!isWorthIt) throw error;
			return await this.#requestOnce(token);
		}
	}

	async #requestOnce(token: string): Promise<TokenVerdict> {
		const { connection, audience } = this.#options;
		const { timeoutMs } = this.#limits;
		const { status, headers, body } = await connection.request(
			{
				method: "POST",
				path,
				body: JSON.stringify({
					apiVersion: "authentication.k8s.io/v1",
					kind: "TokenReview",
					spec: { token, audiences: [audience] },
				}),
				timeoutMs,
				silenceMs: timeoutMs,
			},
			this.#stopping.signal,
		);
		if (status >= 300) {
			// The object that it refuses holds the token, and its words may repeat it.
			const text = (await readFailure(body)).replaceAll(token, "[token]");
			throw errorOf({ status, headers, text }, asked);
		}
		return parseTokenReview(await readBounded(body, maxAnswerBytes), {
			token,
			audience,
			needsPod: this.#options.of !== "readers",
		});
	}

	#remember(hash: string, verdict: TokenVerdict): void {
		const { clock } = this.#options;
		const { freshMs, graceMs, refusedMs } = this.#limits;
		const nowMs = clock.monotonicMs();
		if ("owner" in verdict) {
			const leftMs =
				verdict.expiresMs === undefined
					? Number.POSITIVE_INFINITY
					: verdict.expiresMs - clock.nowMs();
			this.#refused.delete(hash);
			this.#accepted.set(hash, {
				verdict,
				freshUntilMs: nowMs + Math.min(freshMs, leftMs),
				goodUntilMs: nowMs + Math.min(graceMs, leftMs),
			});
		} else if ("refusal" in verdict) {
			this.#accepted.delete(hash);
			const untilMs = nowMs + refusedMs;
			this.#refused.set(hash, {
				verdict,
				freshUntilMs: untilMs,
				goodUntilMs: untilMs,
			});
		}
	}

	#knownGood(hash: string): Accepted | undefined {
		const known = this.#accepted.get(hash);
		return known !== undefined &&
			this.#options.clock.monotonicMs() < known.goodUntilMs
			? known.verdict
			: undefined;
	}

	#answer(outcome: string, verdict: TokenVerdict): Promise<TokenVerdict> {
		this.#count(outcome);
		return Promise.resolve(verdict);
	}

	#warn(error: unknown): void {
		const nowMs = this.#options.clock.monotonicMs();
		if (isCancelled(error) || nowMs < this.#quietUntilMs) return;
		this.#quietUntilMs = nowMs + warnEveryMs;
		this.#options.log.warn(
			"Tokens cannot be checked; those that were accepted before stay good for a while",
			{ of: this.#options.of ?? "proxies", error },
		);
	}
}

/** Keeps so many values; the one that was used longest ago goes first. */
class LeastRecentlyUsed<Value> {
	readonly #max: number;
	/** A Map gives its keys in the order in which they were set. */
	readonly #values = new Map<string, Value>();

	constructor(max: number) {
		this.#max = max;
	}

	get(key: string): Value | undefined {
		const value = this.#values.get(key);
		if (value === undefined) return undefined;
		this.#values.delete(key);
		this.#values.set(key, value);
		return value;
	}

	set(key: string, value: Value): void {
		this.#values.delete(key);
		this.#values.set(key, value);
		if (this.#values.size <= this.#max) return;
		const [oldest] = this.#values.keys();
		if (oldest !== undefined) this.#values.delete(oldest);
	}

	delete(key: string): void {
		this.#values.delete(key);
	}
}
