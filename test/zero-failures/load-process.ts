// The traffic of a run, in a process of its own: an open loop that begins so
// many requests per second to targets that may be requested, whatever becomes of
// the others. Whoever forked it says which those are.

import { Agent, request } from "node:http";
import type { FromLoad, LoadOptions, LoadTarget, ToLoad } from "./load.ts";
import { Random } from "./random.ts";
import { frontService } from "./sequence.ts";

const paths = ["/", "/api/items", "/other"] as const;
const probeEveryMs = 15;
const requestTimeoutMs = 20_000;
/** Failures that are told one by one. */
const toldFailures = 50;

/** A target through one caller. */
interface Way {
	readonly target: LoadTarget;
	readonly caller: string;
}

process.once("message", (options: LoadOptions) => run(options));

function run(options: LoadOptions): void {
	const { shape, seed } = options;
	const random = new Random(seed);
	const agent = new Agent({
		keepAlive: true,
		scheduling: "fifo",
		maxFreeSockets: 64,
	});
	const open = new Map<string, Way>();
	const announced = new Set<string>();
	const paused = new Set<string>();
	let requests = 0;
	let failed = 0;
	let slowestMs = 0;
	let inFlight = 0;
	const inFlightOf = new Map<string, number>();
	let stopping = false;
	const tell = (message: FromLoad): void => void process.send?.(message);

	const send = async (way: Way, slowMs: number, own: boolean) => {
		const path = random.pick(paths) ?? "/";
		const query = slowMs === 0 ? "" : `?slow=${slowMs}`;
		const url = `${way.target.url}${path}${query}`;
		const beganMs = performance.now();
		const user = `u${random.whole(1, 5)}`;
		const reason = await failure(way, url, user, own ? undefined : agent);
		const tookMs = performance.now() - beganMs;
		slowestMs = Math.max(slowestMs, tookMs - slowMs);
		return reason === undefined
			? undefined
			: { url, caller: way.caller, reason, tookMs: Math.round(tookMs) };
	};

	const failure = (
		{ target, caller }: Way,
		url: string,
		user: string,
		agent: Agent | undefined,
	): Promise<string | undefined> =>
		new Promise((resolve) => {
			const [host, port] = (options.callers[caller] ?? "").split(":");
			const { host: authority } = new URL(url);
			const outgoing = request({
				host,
				port: Number(port),
				path: url,
				headers: { host: authority, "x-user": user },
				agent: agent ?? false,
				timeout: requestTimeoutMs,
			});
			outgoing.on("timeout", () => outgoing.destroy(new Error("timed out")));
			outgoing.on("error", (error) => resolve(`no answer: ${error.message}`));
			outgoing.on("response", (response) => {
				let body = "";
				response.setEncoding("utf8");
				response.on("data", (text: string) => {
					body += text;
				});
				response.on("error", (error) => resolve(`cut off: ${error.message}`));
				response.on("end", () => {
					const { statusCode, headers } = response;
					if (statusCode !== 200)
						resolve(`${statusCode} ${body.trim().slice(0, 200)}`);
					else if (headers["x-service"] !== target.service)
						resolve(`answered by ${headers["x-service"]}`);
					else resolve(undefined);
				});
			});
			outgoing.end();
		});

	/** Asks until the first good answer; from then on every request counts. */
	const probe = async (way: Way): Promise<void> => {
		const key = `${way.target.id} ${way.caller}`;
		announced.add(key);
		const beganMs = performance.now();
		while (announced.has(key) && !stopping) {
			if (paused.has(way.caller)) {
				await new Promise((resolve) => setTimeout(resolve, probeEveryMs));
				continue;
			}
			const failure = await send(way, 0, false);
			if (!announced.has(key)) return;
			if (failure === undefined) {
				open.set(key, way);
				tell({
					op: "answers",
					id: way.target.id,
					caller: way.caller,
					tookMs: performance.now() - beganMs,
				});
				return;
			}
			await new Promise((resolve) => setTimeout(resolve, probeEveryMs));
		}
	};

	const one = async (way: Way): Promise<void> => {
		const slowMs = random.chance(shape.slowPercent)
			? random.whole(...shape.slowMs)
			: 0;
		const own = random.chance(shape.newConnectionPercent);
		inFlight += 1;
		const { caller } = way;
		inFlightOf.set(caller, (inFlightOf.get(caller) ?? 0) + 1);
		requests += 1;
		const failure = await send(way, slowMs, own);
		inFlight -= 1;
		inFlightOf.set(caller, (inFlightOf.get(caller) ?? 0) - 1);
		if (failure === undefined) return;
		failed += 1;
		if (failed <= toldFailures) tell({ op: "failed", failure });
	};

	/** Waits until the callers have taken every request that was begun so far: what is begun later is taken later. */
	const arrived = async (): Promise<void> => {
		const target = {
			id: frontService,
			url: `http://${frontService}`,
			service: frontService,
		};
		const working = Object.keys(options.callers).filter(
			(caller) => !paused.has(caller),
		);
		await Promise.all(
			working.map(async (caller) => {
				await send({ target, caller }, 0, true);
				await send({ target, caller }, 0, true);
			}),
		);
	};

	let owed = 0;
	let lastMs = performance.now();
	const timer = setInterval(() => {
		const nowMs = performance.now();
		// After a pause of the whole process the missed requests are not made up for.
		const passedMs = Math.min(nowMs - lastMs, 100);
		lastMs = nowMs;
		owed += (shape.requestsPerSecond * passedMs) / 1000;
		const ways = [...open.values()].filter(({ caller }) => !paused.has(caller));
		for (; owed >= 1; owed -= 1) {
			const way = random.pick(ways);
			if (way !== undefined && inFlight < shape.maxInFlight) void one(way);
		}
	}, 5);

	process.on("message", (message: ToLoad) => {
		switch (message.op) {
			case "announce":
				for (const caller of Object.keys(options.callers))
					void probe({ target: message.target, caller });
				return;
			case "withdraw":
				for (const id of message.ids) {
					for (const caller of Object.keys(options.callers)) {
						announced.delete(`${id} ${caller}`);
						open.delete(`${id} ${caller}`);
					}
				}
				void arrived().then(() => tell({ op: "done", number: message.number }));
				return;
			case "pause":
				paused.add(message.caller);
				for (const [key, way] of open) {
					if (way.caller === message.caller) open.delete(key);
				}
				whenever(
					() => (inFlightOf.get(message.caller) ?? 0) === 0,
					() => tell({ op: "done", number: message.number }),
				);
				return;
			case "resume":
				paused.delete(message.caller);
				for (const target of message.targets)
					void probe({ target, caller: message.caller });
				return;
			case "stop": {
				stopping = true;
				clearInterval(timer);
				whenever(
					() => inFlight === 0,
					() => {
						agent.destroy();
						tell({ op: "report", requests, failed, slowestMs });
						process.disconnect();
					},
				);
				return;
			}
		}
	});
	// Whoever started it is gone.
	process.on("disconnect", () => process.exit());
	tell({ op: "ready" });
}

/** Does something once it is so. */
function whenever(isSo: () => boolean, then: () => void): void {
	const timer = setInterval(() => {
		if (!isSo()) return;
		clearInterval(timer);
		then();
	}, 5);
}
