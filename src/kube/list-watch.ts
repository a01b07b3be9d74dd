/*
 * How a list of objects is read and kept current, as a pure step.
 *
 *            ┌────────────── 410, or a version too new ────────────┐
 *            ▼                                                     │
 *   start ▸ stream ── initial events end ──▸ follow ── drop ──▸ (wait) ── resume ─▸ follow
 *            │  └ not known here ▸ page ▸ page ─┘      (404) ▸ discover ▸ wait
 *            └────── drop: wait, and from the start
 *
 * A stream is a WatchList: existing objects come as events of the watch itself,
 * so a large list is never in memory as one. Where the server does not offer
 * it, or it fails twice, the list is read in pages.
 *
 * What is collected by a list replaces everything in one step when it is
 * complete, and never before. While nothing can be read, what was read stays.
 *
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
import { backoffMs } from "../lib/backoff.ts";
import type { KubeError } from "./kube-error.ts";

/** What keeps a list from being current. */
export interface WatchProblem {
	/** `missing`: the server knows no such kind; it is asked again until it does. */
	readonly kind: "missing" | KubeError["code"];
	/** Full sentences: what is wrong, and what to do. */
	readonly message: string;
}

/** All that is known between two events. */
export interface WatchState {
	/** What is being done now. */
	readonly doing:
		| "nothing"
		| "stream"
		| "page"
		| "follow"
		| "discover"
		| "wait";
	/** The version of the API that is asked; another one than at first when that is no longer served. */
	readonly version: string;
	/** Whether the server offers streamed lists, as far as is known. */
	readonly offersStreams: boolean;
	/** Version of the newest event that was seen: where a watch goes on. Undefined when a list is needed. */
	readonly resumeFrom: string | undefined;
	/** When the server answered what is being done. Monotonic milliseconds. */
	readonly openedMs: number | undefined;
	/** Objects on a page. */
	readonly pageLimit: number;
	/** Where the page that is asked for begins. */
	readonly pageAt: string | undefined;
	/** Failures in a row: how long to wait. */
	readonly failures: number;
	/** Lists that failed since the last complete one. */
	readonly failedLists: number;
	/** Whether a list was ever complete. */
	readonly isListed: boolean;
	readonly problem: WatchProblem | undefined;
}

/** What happened to an object. */
export type ObjectOp = "put" | "delete";

/** Something that came of what was done. */
export type WatchEvent<T> =
	| { readonly type: "start" }
	| { readonly type: "woken" }
	/** The server has answered a stream or a watch with 200. */
	| { readonly type: "opened" }
	| {
			readonly type: "object";
			readonly op: ObjectOp;
			readonly resourceVersion: string;
			readonly item: T;
	  }
	| {
			readonly type: "bookmark";
			readonly resourceVersion: string;
			/** Whether it says that all existing objects have been sent. */
			readonly endsInitial: boolean;
	  }
	| {
			readonly type: "page";
			readonly items: readonly T[];
			/** Of the whole list, not of this page alone. */
			readonly resourceVersion: string;
			/** Where the next page begins; undefined after the last. */
			readonly next: string | undefined;
	  }
	/** A page is too large to be read. */
	| { readonly type: "page-too-large"; readonly error: KubeError }
	/** The server ended the watch in order. */
	| { readonly type: "closed" }
	/** No answer, a refusal, an ERROR event, or a stream that broke. */
	| {
			readonly type: "failed";
			readonly error: KubeError;
			/** Whether it is no use to go on from the version that was seen last: the server has not reached it, or what came cannot be kept. */
			readonly needsList: boolean;
	  }
	/** The versions of the kind that the server offers, the preferred one first. */
	| { readonly type: "served"; readonly versions: readonly string[] };

/** What to do next. At most one of a step starts something; what was being done before is given up then. */
export type WatchEffect<T> =
	| { readonly do: "stream"; readonly timeoutSeconds: number }
	| {
			readonly do: "page";
			readonly limit: number;
			readonly at: string | undefined;
	  }
	| {
			readonly do: "follow";
			readonly resourceVersion: string;
			readonly timeoutSeconds: number;
	  }
	| { readonly do: "discover" }
	| { readonly do: "wait"; readonly ms: number }
	/** A list begins: forget what was collected so far. */
	| { readonly do: "begin" }
	| {
			readonly do: "collect";
			readonly op: ObjectOp;
			readonly items: readonly T[];
	  }
	/** The list is complete: what was collected is all there is. */
	| { readonly do: "commit" }
	/** An object has changed since the list. */
	| { readonly do: "apply"; readonly op: ObjectOp; readonly item: T };

/** What a step cannot know by itself. */
export interface Moment {
	/** Monotonic milliseconds. */
	readonly nowMs: number;
	/** From 0 to below 1: spreads what many do at once. */
	readonly random: number;
}

/** The outcome of a step. */
export interface Stepped<T> {
	readonly state: WatchState;
	readonly effects: readonly WatchEffect<T>[];
}

/** What a server sends at once without trouble, and what its own clients ask for. */
const PAGE_LIMIT = 500;

/** More than this is no longer a page. */
const MAX_PAGE_LIMIT = 16_000;

/** A watch that lasted so long was a good one; if it ends, the next is asked for at once. */
const GOOD_WATCH_MS = 5_000;

const FIRST_DELAY_MS = 800;
const MAX_DELAY_MS = 30_000;
/** A kind that is missing is looked for more often: somebody is about to apply it. */
const MISSING_DELAY_MS = 10_000;
/**
 * Failures that count at most where nothing answers. Asking costs nobody anything there, and a server that is back says 503
 * and 410 before it says what has changed meanwhile: people wait for that.
 */
const MAX_UNREACHABLE_FAILURES = 2;
/** What a server may ask for; more is a mistake or malice. */
const MAX_RETRY_AFTER_MS = 120_000;
/** By how much more at most, as a share: a server that asks for a second, as one does whose CRDs are being set up, means a second. */
const RETRY_AFTER_SPREAD = 0.2;

/** Nothing is known and nothing done; the first event is `start`. */
export function initialState(version: string): WatchState {
	return {
		doing: "nothing",
		version,
		offersStreams: true,
		resumeFrom: undefined,
		openedMs: undefined,
		pageLimit: PAGE_LIMIT,
		pageAt: undefined,
		failures: 0,
		failedLists: 0,
		isListed: false,
		problem: undefined,
	};
}

/**
 * What becomes of an event.
 *
 * Guarantees: a list is committed only when it is complete; after a commit every
 *   event is applied exactly once, or the list is read again; between two
 *   attempts at least some hundred milliseconds pass, unless the one before
 *   was good.
 */
export function step<T>(
	state: WatchState,
	event: WatchEvent<T>,
	moment: Moment,
): Stepped<T> {
	switch (event.type) {
		case "start":
		case "woken":
			return proceed(state, moment);
		case "opened":
			return only({
				...state,
				openedMs: moment.nowMs,
				problem: state.doing === "follow" ? undefined : state.problem,
			});
		case "object":
			return takeObject(state, event);
		case "bookmark":
			return takeBookmark(state, event, moment);
		case "page":
			return takePage(state, event, moment);
		case "page-too-large":
			return state.pageLimit > 1
				? askPage({ ...state, pageLimit: Math.ceil(state.pageLimit / 4) })
				: fail(state, event.error, moment);
		case "closed":
			return wasGood(state, moment)
				? proceed({ ...state, failures: 0 }, moment)
				: retry(state, closedAtOnce, undefined, moment);
		case "failed":
			return event.needsList
				? retry(
						{ ...state, resumeFrom: undefined },
						problemOf(event.error),
						event.error.retryAfterMs,
						moment,
					)
				: fail(state, event.error, moment);
		case "served":
			return takeVersions(state, event.versions, moment);
	}
}

const closedAtOnce: WatchProblem = {
	kind: "KUBE_FAILED",
	message:
		"The API server ends each watch as soon as it begins. Look at its log, and at what stands before it.",
};

function takeObject<T>(
	state: WatchState,
	{ op, item, resourceVersion }: Extract<WatchEvent<T>, { type: "object" }>,
): Stepped<T> {
	if (state.doing === "stream")
		return { state, effects: [{ do: "collect", op, items: [item] }] };
	return {
		state: { ...state, resumeFrom: resourceVersion || state.resumeFrom },
		effects: [{ do: "apply", op, item }],
	};
}

function takeBookmark<T>(
	state: WatchState,
	{
		resourceVersion,
		endsInitial,
	}: Extract<WatchEvent<T>, { type: "bookmark" }>,
	moment: Moment,
): Stepped<T> {
	if (state.doing !== "stream")
		return only({ ...state, resumeFrom: resourceVersion || state.resumeFrom });
	// A server that never heard of streamed lists takes the request for a plain watch.
	if (!endsInitial) return proceed({ ...state, offersStreams: false }, moment);
	return {
		state: { ...listed(state, resourceVersion), doing: "follow" },
		effects: [{ do: "commit" }],
	};
}

function takePage<T>(
	state: WatchState,
	{ items, resourceVersion, next }: Extract<WatchEvent<T>, { type: "page" }>,
	moment: Moment,
): Stepped<T> {
	const collect = { do: "collect", op: "put", items } as const;
	const { state: after, effects } =
		next === undefined
			? proceed<T>(listed(state, resourceVersion), moment)
			: askPage<T>({ ...state, pageAt: next });
	const commit = next === undefined ? [{ do: "commit" } as const] : [];
	return { state: after, effects: [collect, ...commit, ...effects] };
}

function listed(state: WatchState, resourceVersion: string): WatchState {
	return {
		...state,
		resumeFrom: resourceVersion,
		pageLimit: PAGE_LIMIT,
		pageAt: undefined,
		failedLists: 0,
		isListed: true,
		problem: undefined,
	};
}

/** Follows what is listed, or lists. */
function proceed<T>(state: WatchState, { random }: Moment): Stepped<T> {
	// Spread over minutes, so that watches which began together do not end together.
	const timeoutSeconds = Math.round(300 + random * 300);
	const { resumeFrom } = state;
	if (resumeFrom !== undefined) {
		return {
			state: { ...state, doing: "follow", openedMs: undefined },
			effects: [{ do: "follow", resourceVersion: resumeFrom, timeoutSeconds }],
		};
	}
	if (state.offersStreams && state.failedLists < 2) {
		return {
			state: { ...state, doing: "stream", openedMs: undefined },
			effects: [{ do: "begin" }, { do: "stream", timeoutSeconds }],
		};
	}
	const first = askPage<T>({ ...state, pageAt: undefined });
	return { ...first, effects: [{ do: "begin" }, ...first.effects] };
}

function askPage<T>(state: WatchState): Stepped<T> {
	const { pageLimit, pageAt } = state;
	return {
		state: { ...state, doing: "page", openedMs: undefined },
		effects: [{ do: "page", limit: pageLimit, at: pageAt }],
	};
}

function fail<T>(
	state: WatchState,
	error: KubeError,
	moment: Moment,
): Stepped<T> {
	const problem = problemOf(error);
	switch (error.code) {
		case "KUBE_EXPIRED": {
			// The token that comes with a 410 amid a list would lose changes to the pages before it. A list of larger pages is done sooner.
			const pageLimit =
				state.doing === "page"
					? Math.min(state.pageLimit * 2, MAX_PAGE_LIMIT)
					: state.pageLimit;
			const expired = { ...state, pageLimit, resumeFrom: undefined };
			return wasGood(state, moment)
				? proceed({ ...expired, failures: 0 }, moment)
				: retry(expired, problem, error.retryAfterMs, moment);
		}
		case "KUBE_INVALID":
			return state.doing === "stream"
				? proceed({ ...state, offersStreams: false }, moment)
				: retry(state, problem, error.retryAfterMs, moment);
		case "KUBE_NOT_FOUND":
			return {
				state: { ...state, doing: "discover", openedMs: undefined },
				effects: [{ do: "discover" }],
			};
		default:
			return state.doing === "follow" &&
				wasGood(state, moment) &&
				error.retryAfterMs === undefined
				? proceed({ ...state, failures: 0 }, moment)
				: retry(state, problem, error.retryAfterMs, moment);
	}
}

function problemOf({ code, message }: KubeError): WatchProblem {
	return { kind: code, message };
}

function takeVersions<T>(
	state: WatchState,
	versions: readonly string[],
	moment: Moment,
): Stepped<T> {
	const [preferred] = versions;
	if (preferred === undefined) {
		const problem: WatchProblem = {
			kind: "missing",
			message:
				"The API server does not know this kind. Apply the CRDs that belong to this version of Lateen; it is read as soon as they are there.",
		};
		return retry(
			{ ...state, resumeFrom: undefined },
			problem,
			undefined,
			moment,
		);
	}
	const known = versions.includes(state.version);
	const problem: WatchProblem = {
		kind: "KUBE_NOT_FOUND",
		message: known
			? "The API server says that it has this kind, and that it does not. Look at its log; it may be starting."
			: `The API server no longer offers version ${state.version} of this kind; ${preferred} is read instead. What does not fit is refused. Install a version of Lateen that knows ${preferred}.`,
	};
	return retry(
		known ? state : { ...state, version: preferred, resumeFrom: undefined },
		problem,
		undefined,
		moment,
	);
}

/** Waits, then goes on from where it is. */
function retry<T>(
	state: WatchState,
	problem: WatchProblem,
	retryAfterMs: number | undefined,
	{ random }: Moment,
): Stepped<T> {
	const { doing } = state;
	const most =
		problem.kind === "KUBE_UNREACHABLE" ? MAX_UNREACHABLE_FAILURES : Infinity;
	const failures = Math.min(state.failures, most);
	const wasListing = doing === "stream" || doing === "page";
	// A stream that begins and says nothing is no better the next time; pages ask etcd in another way.
	const cost = doing === "stream" && problem.kind === "KUBE_SILENT" ? 2 : 1;
	const longestMs =
		problem.kind === "missing" ? MISSING_DELAY_MS : MAX_DELAY_MS;
	const fullMs = backoffMs(failures, FIRST_DELAY_MS, longestMs);
	const ownMs = fullMs * (0.5 + random / 2);
	const askedMs = Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
	return {
		state: {
			...state,
			doing: "wait",
			openedMs: undefined,
			failures: Math.min(failures + 1, most),
			failedLists: state.failedLists + (wasListing ? cost : 0),
			problem,
		},
		// Whoever was told the same second must not come back in the same millisecond.
		effects: [
			{
				do: "wait",
				ms: Math.round(
					askedMs > 0 ? askedMs * (1 + random * RETRY_AFTER_SPREAD) : ownMs,
				),
			},
		],
	};
}

function wasGood({ openedMs }: WatchState, { nowMs }: Moment): boolean {
	return openedMs !== undefined && nowMs - openedMs >= GOOD_WATCH_MS;
}

function only<T>(state: WatchState): Stepped<T> {
	return { state, effects: [] };
}
