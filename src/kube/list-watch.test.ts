import { expect } from "chai";
import { KubeError } from "./kube-error.ts";
import {
	initialState,
	step,
	type WatchEffect,
	type WatchEvent,
	type WatchState,
} from "./list-watch.ts";

type Event = WatchEvent<string>;

/** Takes steps at one moment, and answers the last state and all effects. */
function play(
	events: readonly (Event | { readonly atMs: number })[],
	random = 0,
): {
	readonly state: WatchState;
	readonly effects: readonly WatchEffect<string>[];
} {
	let state = initialState("v1");
	let nowMs = 0;
	const effects: WatchEffect<string>[] = [];
	for (const event of events) {
		if ("atMs" in event) {
			nowMs = event.atMs;
			continue;
		}
		const stepped = step(state, event, { nowMs, random });
		state = stepped.state;
		effects.push(...stepped.effects);
	}
	return { state, effects };
}

function error(
	code: KubeError["code"],
	details: { readonly status?: number; readonly retryAfterMs?: number } = {},
): Event {
	return {
		type: "failed",
		error: new KubeError(code, "It failed.", details),
		needsList: false,
	};
}

const start: Event = { type: "start" };
const opened: Event = { type: "opened" };
const woken: Event = { type: "woken" };
const end: Event = {
	type: "bookmark",
	resourceVersion: "10",
	endsInitial: true,
};
const bookmark: Event = {
	type: "bookmark",
	resourceVersion: "20",
	endsInitial: false,
};
const put: Event = {
	type: "object",
	op: "put",
	resourceVersion: "15",
	item: "a",
};
const broken = error("KUBE_UNREACHABLE");
const following = [start, opened, put, end] as const;

function waits(
	events: readonly (Event | { readonly atMs: number })[],
	random = 0,
) {
	return play(events, random).effects.flatMap((effect) =>
		effect.do === "wait" ? [effect.ms] : [],
	);
}

function doings(events: readonly (Event | { readonly atMs: number })[]) {
	return play(events).effects.map((effect) => effect.do);
}

describe("step", () => {
	it("begins with a streamed list, and commits it at its end", () => {
		expect(doings([start, opened, put, end])).to.deep.equal([
			"begin",
			"stream",
			"collect",
			"commit",
		]);
	});

	it("applies what comes after the list", () => {
		const { state, effects } = play([...following, put]);
		expect(effects.at(-1)).to.deep.equal({ do: "apply", op: "put", item: "a" });
		expect(state.resumeFrom).to.equal("15");
	});

	it("resumes from the newest of events and bookmarks", () => {
		const { effects } = play([...following, put, bookmark, broken, woken]);
		expect(effects.at(-1)).to.deep.include({
			do: "follow",
			resourceVersion: "20",
		});
	});

	it("begins anew when a list breaks off, and commits nothing of it", () => {
		expect(doings([start, opened, put, broken, woken])).to.deep.equal([
			...["begin", "stream", "collect", "wait"],
			...["begin", "stream"],
		]);
	});

	it("waits twice as long after each failure, up to half a minute", () => {
		const failed = error("KUBE_FAILED");
		const failures = Array.from({ length: 8 }, () => [failed, woken]).flat();
		expect(waits([start, ...failures])).to.deep.equal([
			400, 800, 1600, 3200, 6400, 12800, 15000, 15000,
		]);
		expect(waits([start, broken], 0.999)[0]).to.be.closeTo(800, 1);
	});

	it("asks every few seconds where nothing answers, and soon hears what a server that is back has to tell", () => {
		const away = Array.from({ length: 6 }, () => [broken, woken]).flat();
		const back = [error("KUBE_FAILED"), woken, error("KUBE_EXPIRED"), woken];
		expect(waits([...following, ...away, ...back])).to.deep.equal([
			...[400, 800, 1600, 1600, 1600, 1600],
			...[1600, 3200],
		]);
	});

	it("asks again at once when a watch lasted, whether it ended or broke", () => {
		for (const last of [broken, { type: "closed" } as const]) {
			const events = [...following, { atMs: 5000 }, last];
			expect(doings(events).at(-1)).to.equal("follow");
			expect(play(events).state).to.include({
				failures: 0,
				problem: undefined,
			});
		}
	});

	it("waits when watches end as soon as they begin", () => {
		expect(doings([...following, { type: "closed" }]).at(-1)).to.equal("wait");
	});

	it("waits as long as the server asks, and a little more, but not forever", () => {
		const asks = (retryAfterMs: number) =>
			waits([start, error("KUBE_BUSY", { status: 429, retryAfterMs })], 0.5);
		expect(asks(3000)).to.deep.equal([3300]);
		expect(asks(86_400_000)).to.deep.equal([132_000]);
	});

	it("takes Retry-After seriously after a good watch too", () => {
		const busy = error("KUBE_BUSY", { retryAfterMs: 1000 });
		expect(waits([...following, { atMs: 60_000 }, busy])).to.deep.equal([1000]);
	});

	it("keeps its place through everything but a version that is gone", () => {
		for (const code of [
			"KUBE_UNREACHABLE",
			"KUBE_SILENT",
			"KUBE_UNAUTHENTICATED",
			"KUBE_FORBIDDEN",
			"KUBE_BUSY",
			"KUBE_FAILED",
		] as const) {
			expect(play([...following, error(code)]).state.resumeFrom).to.equal("10");
		}
		expect(
			play([...following, error("KUBE_EXPIRED")]).state.resumeFrom,
		).to.equal(undefined);
	});

	it("reads pages when streams are refused, and remembers it", () => {
		const { state, effects } = play([start, error("KUBE_INVALID")]);
		expect(effects.slice(2)).to.deep.equal([
			{ do: "begin" },
			{ do: "page", limit: 500, at: undefined },
		]);
		expect(state.offersStreams).to.equal(false);
	});

	it("reads page after page, and commits after the last", () => {
		const page = (next: string | undefined): Event => ({
			type: "page",
			items: ["a"],
			resourceVersion: "30",
			next,
		});
		const { effects } = play([
			start,
			error("KUBE_INVALID"),
			page("p2"),
			page(undefined),
		]);
		expect(effects.slice(4)).to.deep.equal([
			{ do: "collect", op: "put", items: ["a"] },
			{ do: "page", limit: 500, at: "p2" },
			{ do: "collect", op: "put", items: ["a"] },
			{ do: "commit" },
			{ do: "follow", resourceVersion: "30", timeoutSeconds: 300 },
		]);
	});

	it("starts over with larger pages when they expire, smaller ones when they are too large", () => {
		const pages = [start, error("KUBE_INVALID")];
		expect(
			play([...pages, error("KUBE_EXPIRED"), woken]).state.pageLimit,
		).to.equal(1000);
		const large = {
			type: "page-too-large",
			error: new KubeError("KUBE_FAILED", "It is too large."),
		} as const;
		expect(play([...pages, large]).effects.at(-1)).to.deep.equal({
			do: "page",
			limit: 125,
			at: undefined,
		});
		const forever = Array.from({ length: 6 }, () => large);
		expect(doings([...pages, ...forever]).at(-1)).to.equal("wait");
	});

	it("asks which versions there are when a kind is not found", () => {
		const gone = [start, error("KUBE_NOT_FOUND")];
		expect(doings(gone).at(-1)).to.equal("discover");
		const missing = play([...gone, { type: "served", versions: [] }]);
		expect(missing.state.problem?.kind).to.equal("missing");
		const moved = play([...gone, { type: "served", versions: ["v2"] }, woken]);
		expect(moved.state.version).to.equal("v2");
	});

	it("looks for a missing kind at least every ten seconds", () => {
		const round = [
			error("KUBE_NOT_FOUND"),
			{ type: "served", versions: [] },
			woken,
		] as const;
		const rounds = Array.from({ length: 9 }, () => round).flat();
		expect(Math.max(...waits([start, ...rounds], 0.999))).to.be.within(
			9_000,
			10_000,
		);
	});

	it("says what is in the way until the list is complete, and not after", () => {
		expect(play([start, broken]).state.problem).to.deep.equal({
			kind: "KUBE_UNREACHABLE",
			message: "It failed.",
		});
		expect(play([start, broken, woken, opened]).state.problem).to.not.equal(
			undefined,
		);
		expect(play([start, broken, woken, opened, end]).state.problem).to.equal(
			undefined,
		);
	});
});
