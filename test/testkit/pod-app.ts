/**
 * The application in pods of tests, which has nothing but Node.js:
 *
 *   pod-app.ts serve                  HTTP on 8080 and 8081, TCP on 9000, HTTP/2 with trailers on 7000
 *   pod-app.ts ask URL [NAME=VALUE [TIMES]]   prints status and body, each time on a connection of its own
 *   pod-app.ts tcp HOST PORT          prints what comes first, without having said anything
 *   pod-app.ts grpc URL               prints the status in the trailers, and the answer
 *   pod-app.ts load RATE URL...       asks so many times a second, one URL after the other, until it is told to stop; prints what came
 *   pod-app.ts hold URL               asks once, and says when the connection has ended
 *   pod-app.ts measure URL TIMES      asks one time after the other on one connection; prints how many microseconds each took
 */
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { Agent, createServer, get, type IncomingMessage } from "node:http";
import {
	connect as connectHttp2,
	createServer as createHttp2,
} from "node:http2";
import { connect, createServer as createTcp } from "node:net";
import { hostname } from "node:os";
import { text } from "node:stream/consumers";

/** What an application says of a request that it got. */
export interface Seen {
	readonly pod: string;
	readonly version: string;
	/** Where the connection came from: 127.0.0.6 when it was the proxy beside it. */
	readonly from: string;
}

/** What came of a load. */
export interface Load {
	readonly sent: number;
	readonly ok: number;
	/**
	 * How many of these were sent a second time: the other side closed the idle
	 * connection that they were written to just then, which no client without a
	 * proxy can know; every careful one does this.
	 */
	readonly resent: number;
	/** The sentences or statuses of the rest, with how often. */
	readonly failures: Readonly<Record<string, number>>;
	/** How many each pod answered. */
	readonly pods: Readonly<Record<string, number>>;
	/** How long the slowest of the good ones took, in milliseconds. */
	readonly slowestMs: number;
}

/** A busy machine takes its time; who takes longer does not answer any more. */
const TIMEOUT_MS = 20_000;

/** A connection that had been used before was ended before anything was answered. */
class ClosedMeanwhile extends Error {}

if (import.meta.main) {
	const [what, first = "", second = "", third = "1"] = process.argv.slice(2);
	switch (what) {
		case "serve":
			serve();
			break;
		case "ask": {
			const [name = "", value = ""] = second.split("=");
			for (let times = Number(third); times > 0; times -= 1) {
				const { status, body } = await ask(
					first,
					second === "" ? {} : { [name]: value },
					new Agent(),
				);
				console.log(`${status} ${body}`);
			}
			break;
		}
		case "tcp": {
			const socket = connect(Number(second), first);
			socket.setTimeout(TIMEOUT_MS, () =>
				socket.destroy(new Error("Silence.")),
			);
			const [greeting] = (await once(socket, "data")) as [Buffer];
			socket.end("again\n");
			console.log(`${greeting.toString()}${await text(socket)}`);
			break;
		}
		case "grpc":
			await grpc(first);
			break;
		case "load":
			await load(Number(first), process.argv.slice(4));
			break;
		case "hold":
			await hold(first);
			break;
		case "measure":
			await measure(first, Number(second));
			break;
		default:
			throw new Error("Say what to do.");
	}
}

function serve(): void {
	const version = process.env["VERSION"] ?? "";
	let isReady = true;
	const handler = createServer((request, response) => {
		const from = (request.socket.remoteAddress ?? "").replace("::ffff:", "");
		const path = request.url ?? "/";
		if (path === "/ready") response.statusCode = isReady ? 200 : 503;
		if (path === "/be-ready") isReady = true;
		if (path === "/be-unready") isReady = false;
		response.setHeader("content-type", "application/json");
		response.end(
			JSON.stringify({ pod: hostname(), version, from } satisfies Seen),
		);
	});
	// Longer than the proxy keeps a connection that nobody uses: where both end one at once, a request is lost.
	handler.keepAliveTimeout = 60_000;
	handler.listen(8080, "::");
	const excluded = createServer((request, response) =>
		handler.emit("request", request, response),
	);
	excluded.listen(8081, "::");
	createTcp((socket) => {
		socket.on("error", () => socket.destroy());
		socket.write(`hello from ${hostname()}\n`);
		socket.pipe(socket);
	}).listen(9000, "::");
	createHttp2()
		.on("stream", (stream) => {
			stream.respond(
				{ ":status": 200, "content-type": "application/grpc" },
				{ waitForTrailers: true },
			);
			stream.on("wantTrailers", () =>
				stream.sendTrailers({ "grpc-status": "0" }),
			);
			stream.end(hostname());
		})
		.listen(7000, "::");
	// As hard as an application can be: whatever is on its way is lost.
	process.on("SIGTERM", () => process.exit(0));
	console.log("serving");
}

async function ask(
	url: string,
	headers: Readonly<Record<string, string>> = {},
	agent?: Agent,
): Promise<{ readonly status: number; readonly body: string }> {
	const signal = AbortSignal.timeout(TIMEOUT_MS);
	const request = get(url, { headers, agent, signal });
	const { promise, resolve, reject } = Promise.withResolvers<{
		readonly status: number;
		readonly body: string;
	}>();
	request.on("error", (error: NodeJS.ErrnoException) =>
		reject(
			request.reusedSocket && error.code === "ECONNRESET"
				? new ClosedMeanwhile(error.message)
				: error,
		),
	);
	request.on("response", (response) => {
		text(response).then(
			(body) => resolve({ status: response.statusCode ?? 0, body }),
			reject,
		);
	});
	return await promise;
}

async function grpc(url: string): Promise<void> {
	const session = connectHttp2(url);
	const stream = session.request({
		":method": "POST",
		":path": "/probe.Probe/Say",
		"content-type": "application/grpc",
		te: "trailers",
	});
	stream.end();
	let trailers: Readonly<Record<string, unknown>> = {};
	stream.on("trailers", (got) => {
		trailers = got;
	});
	const body = await text(stream);
	session.close();
	console.log(`${String(trailers["grpc-status"])} ${body}`);
}

async function hold(url: string): Promise<void> {
	const agent = new Agent({ keepAlive: true });
	const request = get(url, { agent });
	const [response] = (await once(request, "response")) as [IncomingMessage];
	const closed = once(response.socket, "close");
	await text(response);
	console.log("open");
	// A connection that nobody uses keeps no process alive.
	const alive = setInterval(() => {}, 60_000);
	await closed;
	clearInterval(alive);
	console.log("closed");
}

async function measure(url: string, times: number): Promise<void> {
	const agent = new Agent({ keepAlive: true });
	const tookUs: number[] = [];
	// The first ones make the connection, and have this process compiled.
	for (let left = times + 200; left > 0; left -= 1) {
		const startMs = performance.now();
		const { status, body } = await ask(url, {}, agent);
		if (status !== 200) throw new Error(`${status} ${body}`);
		const endMs = performance.now();
		if (left <= times) tookUs.push(Math.round((endMs - startMs) * 1000));
	}
	agent.destroy();
	console.log(JSON.stringify(tookUs));
}

async function load(rate: number, urls: readonly string[]): Promise<void> {
	// Names are asked for once: a resolver waits five seconds for an answer that got lost, and this is not about DNS.
	const addresses = new Map<string, LookupAddress>();
	for (const { hostname } of urls.map((url) => new URL(url))) {
		addresses.set(hostname, await lookup(hostname));
	}
	const agent = new Agent({
		keepAlive: true,
		lookup: (name, _, callback) => {
			const address = addresses.get(name);
			callback(null, address === undefined ? [] : [address]);
		},
	});
	const failures: Record<string, number> = {};
	const pods: Record<string, number> = {};
	let sent = 0;
	let ok = 0;
	let resent = 0;
	let slowestMs = 0;
	const running = new Set<Promise<void>>();
	const one = async (url: string): Promise<void> => {
		const startMs = performance.now();
		try {
			const { status, body } = await ask(url, {}, agent).catch((error) => {
				if (!(error instanceof ClosedMeanwhile)) throw error;
				resent += 1;
				return ask(url);
			});
			slowestMs = Math.max(slowestMs, Math.round(performance.now() - startMs));
			if (status !== 200) throw new Error(`${status} ${body}`);
			const { pod } = JSON.parse(body) as Seen;
			ok += 1;
			pods[pod] = (pods[pod] ?? 0) + 1;
		} catch (error) {
			const what = error instanceof Error ? error.message : String(error);
			failures[what] = (failures[what] ?? 0) + 1;
			console.error(new Date().toISOString(), url, what);
		}
	};
	const startMs = performance.now();
	let isOver = false;
	const sendDue = (): void => {
		if (isOver) return;
		const due = ((performance.now() - startMs) / 1000) * rate;
		for (; sent < due; sent += 1) {
			const call = one(urls[sent % urls.length] ?? "").then(() => {
				running.delete(call);
			});
			running.add(call);
		}
	};
	// After what came meanwhile: a process that had to wait would else use connections that it would know to be closed.
	const timer = setInterval(() => setImmediate(sendDue), 5);
	console.log("started");
	process.stdin.resume();
	await once(process.stdin, "end");
	clearInterval(timer);
	isOver = true;
	await Promise.all(running);
	agent.destroy();
	const result: Load = { sent, ok, resent, failures, pods, slowestMs };
	console.log(JSON.stringify(result));
}
