/*
 * Watches of the admin API over real connections, with clients that do not read
 * or vanish.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect } from "chai";
import { statusAnswer } from "../../src/admin/status.ts";
import type { ObjectRef } from "../../src/api/object-ref.ts";
import type { ObjectStatus } from "../../src/api/status.ts";
import { statusReader } from "../../src/app/admin/status-reader.ts";
import { WritableSignal } from "../../src/lib/signal.ts";
import { type HttpServer, serveHttp } from "../../src/net/http-server.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { emptyObjects } from "../../src/store/empty-objects.ts";
import {
	MemoryEventWriter,
	MemoryStatusWriter,
} from "../../src/store/memory-writer.ts";

const objects = 200;

function refOf(index: number): ObjectRef {
	return { kind: "RouteRule", namespace: "default", name: `r${index}` };
}

/** A status whose text is as long as one of many refusals. */
function statusOf(index: number, generation: number): ObjectStatus {
	return {
		ref: refOf(index),
		observedGeneration: generation,
		conditions: [
			{
				type: "Ready",
				status: "True",
				reason: "Ready",
				message: "Words. ".repeat(300),
				observedGeneration: generation,
				lastTransitionMs: 0,
			},
		],
		proxies: { total: 1, acknowledged: 1, rejected: 0 },
	};
}

describe("watch of statuses over a real connection", () => {
	let statuses: MemoryStatusWriter;
	let server: HttpServer;
	let sockets: Socket[];
	/** Objects of which a line was made. */
	let printed: number;
	let watches: number;

	beforeEach(async () => {
		statuses = new MemoryStatusWriter();
		sockets = [];
		printed = 0;
		watches = 0;
		const all = statusReader({
			objects: new WritableSignal(emptyObjects()),
			invalid: new WritableSignal(new Map()),
			statuses,
			events: new MemoryEventWriter(),
			isComplete: new WritableSignal(true),
			placeOf: () => undefined,
		});
		const reader = {
			...all,
			of: (ref: ObjectRef) => {
				printed += 1;
				return all.of(ref);
			},
			subscribe: (listener: (refs: readonly ObjectRef[]) => void) => {
				watches += 1;
				const stop = all.subscribe(listener);
				return () => {
					watches -= 1;
					stop();
				};
			},
		};
		server = await serveHttp({
			listen: { host: "127.0.0.1", port: 0 },
			handler: (request, signal) => statusAnswer(request, reader, signal),
			limits: { stopMs: 0, blockedWriteMs: 60_000 },
			log: silentLogger,
		});
		await write(1);
	});

	afterEach(async () => {
		for (const socket of sockets) socket.destroy();
		await server[Symbol.asyncDispose]();
	});

	/** Every status in this generation. */
	function write(generation: number): Promise<void> {
		return statuses.write(
			Array.from({ length: objects }, (_, index) =>
				statusOf(index, generation),
			),
		);
	}

	/** A client that has asked and not read yet. */
	async function watch(): Promise<Socket> {
		const { address } = server;
		const socket = connect("port" in address ? address : { ...address });
		sockets.push(socket);
		socket.on("error", () => undefined);
		await once(socket, "connect");
		socket.write("GET /v1/status?watch=1 HTTP/1.1\r\nhost: localhost\r\n\r\n");
		return socket;
	}

	/** Reads until a line fits for each object, or the first list is over; answers how many bytes came. */
	function read(socket: Socket, wanted: number | "SYNCED"): Promise<number> {
		return new Promise((resolve, reject) => {
			const said = new Set<string>();
			let bytes = 0;
			let rest = "";
			const take = (data: Buffer): void => {
				bytes += data.length;
				const lines = (rest + data.toString("latin1")).split("\n");
				rest = lines.pop() ?? "";
				for (const line of lines) {
					const found = /"name":"(r\d+)","generation":(\d+),/.exec(line);
					if (found !== null && Number(found[2]) === wanted)
						said.add(found[1] ?? "");
					if (wanted === "SYNCED" && line.includes(wanted)) said.add(wanted);
				}
				if (said.size < (wanted === "SYNCED" ? 1 : objects)) return;
				socket.off("data", take);
				resolve(bytes);
			};
			socket.on("data", take);
			socket.on("close", () => reject(new Error("The connection was closed.")));
		});
	}

	it("costs a client that does not read no more than what the socket holds, and ends with the newest", async () => {
		const slow = await watch();
		slow.pause();
		const quick = await watch();
		const rounds = 100;
		const quickHasAll = read(quick, rounds);
		for (let generation = 2; generation <= rounds; generation += 1) {
			await write(generation);
			// Turns of the event loop in which whoever reads is served.
			for (let turn = 0; turn < 5; turn += 1)
				await new Promise((resolve) => setImmediate(resolve));
		}
		await quickHasAll;
		const forBoth = printed;
		// 100 rounds of 200 objects for each would be 40,000 lines of 2 KB.
		const whole = read(slow, rounds);
		slow.resume();
		const bytes = await whole;
		expect(bytes).to.be.lessThan(12_000_000);
		expect(printed - forBoth).to.be.at.most(2 * objects);
	});

	it("ends with the client, and others go on", async () => {
		const gone = await watch();
		const other = await watch();
		await Promise.all([read(gone, "SYNCED"), read(other, "SYNCED")]);
		expect(watches).to.equal(2);
		gone.destroy();
		const next = read(other, 2);
		await write(2);
		await next;
		while (watches > 1) {
			await write(3);
			await new Promise((resolve) => setImmediate(resolve));
		}
		expect(watches).to.equal(1);
	});
});
