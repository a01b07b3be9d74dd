import { expect } from "chai";
import { eventLoopTurns } from "../../test/testkit/event-loop-turns.ts";
import { FixedLeader } from "../../test/testkit/fixed-leader.ts";
import {
	type Fault,
	MemoryApiServer,
} from "../../test/testkit/memory-api-server.ts";
import { warningLogger } from "../../test/testkit/recording-logger.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import {
	type ConditionStatus,
	type ObjectStatus,
	printStatus,
} from "../api/status.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import type { KubeRequest } from "./connection.ts";
import type { KubeError } from "./kube-error.ts";
import { ObjectClient } from "./object-client.ts";
import { KubeStatusWriter } from "./status-writer.ts";
import { WritePacer } from "./write-pacer.ts";

class Fixture {
	readonly server: MemoryApiServer;
	readonly clock = new TestClock();
	readonly leader = new FixedLeader();
	readonly logged: string[] = [];
	readonly metrics = new MetricsRegistry();
	readonly writer: KubeStatusWriter;

	constructor(server = new MemoryApiServer(), leads = true) {
		this.server = server;
		this.leader.state.set(leads);
		this.writer = new KubeStatusWriter({
			client: new ObjectClient(server),
			leader: this.leader,
			pacer: new WritePacer(this.clock),
			clock: this.clock,
			logger: warningLogger(this.logged),
			metrics: this.metrics,
		});
	}

	put(name: string): void {
		this.server.put(path(name), { metadata: { name, namespace: "a" } });
	}

	statusOf(name: string): Record<string, unknown> | undefined {
		const { status } = this.server.at(path(name)) ?? {};
		return status as Record<string, unknown> | undefined;
	}

	get requests(): readonly string[] {
		return this.server.requests.map(
			({ method, path: at }) => `${method} ${at.split("/").slice(6).join("/")}`,
		);
	}
}

function path(name: string): string {
	return `/apis/lateen.dev/v1alpha1/namespaces/a/routerules/${name}`;
}

function status(
	name: string,
	fields: {
		readonly is?: ConditionStatus;
		readonly message?: string;
		readonly generation?: number;
		readonly sinceMs?: number;
	} = {},
): ObjectStatus {
	const observedGeneration = fields.generation ?? 1;
	return {
		ref: { kind: "RouteRule", namespace: "a", name },
		observedGeneration,
		conditions: [
			{
				type: "Ready",
				status: fields.is ?? "True",
				reason: "Because",
				message: fields.message ?? "It is so.",
				observedGeneration,
				lastTransitionMs: fields.sinceMs ?? 1000,
			},
		],
		proxies: { total: 0, acknowledged: 0, rejected: 0 },
	};
}

function message(of: Record<string, unknown> | undefined): unknown {
	const [first] = (of?.["conditions"] ?? []) as Record<string, unknown>[];
	return first?.["message"];
}

async function settle(): Promise<void> {
	await eventLoopTurns(30);
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
	return await promise.then(
		() => undefined,
		(error: unknown) => error,
	);
}

function onWrite(
	fault: Fault,
	name = "",
): (request: KubeRequest) => Fault | undefined {
	return ({ method, path: at }) =>
		method === "PATCH" && at.includes(name) ? fault : undefined;
}

describe("KubeStatusWriter", () => {
	it("applies a status with the version that it saw, as one manager", async () => {
		const one = new Fixture();
		const { server } = one;
		one.put("x");
		await one.writer.write([status("x")]);
		const [read, write] = server.requests;
		expect(read?.method).to.equal("GET");
		expect(write?.path).to.equal(`${path("x")}/status`);
		expect(write?.query).to.deep.equal({
			fieldManager: "lateen-status",
			force: "true",
			fieldValidation: "Strict",
		});
		expect(JSON.parse(String(write?.body))).to.deep.include({
			apiVersion: "lateen.dev/v1alpha1",
			kind: "RouteRule",
			metadata: {
				name: "x",
				namespace: "a",
				resourceVersion: "1",
				uid: `uid-${path("x")}-0`,
			},
		});
	});

	it("needs one request for the next status, and none for the same again", async () => {
		const one = new Fixture();
		one.put("x");
		await one.writer.write([status("x")]);
		one.server.requests.length = 0;
		await one.writer.write([status("x", { message: "Now this." })]);
		expect(one.requests).to.deep.equal(["PATCH routerules/x/status"]);
		await one.writer.write([status("x", { message: "Now this." })]);
		expect(one.requests.length).to.equal(1);
		expect(message(one.statusOf("x"))).to.equal("Now this.");
	});

	it("reads again what changed meanwhile, and writes", async () => {
		const one = new Fixture();
		one.put("x");
		await one.writer.write([status("x")]);
		one.put("x");
		await one.writer.write([status("x", { message: "Now this." })]);
		expect(message(one.statusOf("x"))).to.equal("Now this.");
	});

	it("reads first when it knows that the object has changed, which saves a conflict", async () => {
		const one = new Fixture();
		one.put("x");
		await one.writer.write([status("x")]);
		one.put("x");
		one.server.requests.length = 0;
		await one.writer.write([status("x", { generation: 2 })]);
		expect(one.requests).to.deep.equal([
			"GET routerules/x",
			"PATCH routerules/x/status",
		]);
	});

	it("needs no reading where a watch tells what is there", async () => {
		const one = new Fixture();
		one.put("x");
		one.writer.observe(status("x").ref, {
			uid: `uid-${path("x")}-0`,
			resourceVersion: "1",
			generation: 1,
			status: undefined,
		});
		await one.writer.write([status("x")]);
		expect(one.requests).to.deep.equal(["PATCH routerules/x/status"]);
	});

	it("writes nothing after a restart when nothing has changed", async () => {
		const before = new Fixture();
		const names = Array.from({ length: 50 }, (_, index) => `r${index}`);
		for (const name of names) before.put(name);
		await before.writer.write(names.map((name) => status(name)));
		const after = new Fixture(before.server);
		after.server.requests.length = 0;
		await after.writer.write(
			names.map((name) => status(name, { sinceMs: 99_000 })),
		);
		expect(after.requests).to.deep.equal(["GET "]);
		expect(after.server.requests[0]?.path).to.equal(
			"/apis/lateen.dev/v1alpha1/routerules",
		);
	});

	it("lets no condition wait behind the counts of a thousand objects", async () => {
		const one = new Fixture();
		const names = Array.from({ length: 1000 }, (_, index) => `r${index}`);
		for (const name of names) one.put(name);
		const writing = one.writer.write(names.map((name) => status(name)));
		while (one.server.writes.length < 1000) {
			one.clock.pass(100);
			await settle();
		}
		await writing;
		one.clock.pass(5000);
		one.server.requests.length = 0;
		await one.writer.write([
			...names.map((name) => status(name, { message: "Another proxy." })),
			status("r999", { is: "False" }),
		]);
		expect(one.server.writes.length).to.equal(51);
		expect(one.statusOf("r999")).to.deep.include(
			printStatus(status("r999", { is: "False" })),
		);
		for (let ms = 0; ms < 25_000; ms += 100) {
			one.clock.pass(100);
			await settle();
		}
		for (const name of names.slice(0, -1))
			expect(message(one.statusOf(name)), name).to.equal("Another proxy.");
		expect(one.server.writes.length).to.equal(1000);
		expect(one.clock.waiting).to.equal(0);
	});

	it("lets one change wait for no thousand others, even when its own object is one of them", async () => {
		const one = new Fixture();
		const names = Array.from({ length: 1000 }, (_, index) => `r${index}`);
		for (const name of [...names, "new"]) one.put(name);
		const many = one.writer.write(names.map((name) => status(name)));
		await settle();
		const before = one.server.writes.length;
		expect(before).to.be.within(1, 250);
		await Promise.all([
			one.writer.write([status("new")]),
			one.writer.write([status("r999", { message: "Changed." })]),
			(async () => {
				await settle();
				one.clock.pass(20);
			})(),
		]);
		expect(one.server.writes.length - before).to.be.within(2, 6);
		expect(one.statusOf("new")).to.deep.equal(printStatus(status("new")));
		expect(message(one.statusOf("r999"))).to.equal("Changed.");
		for (let ms = 0; ms < 6000; ms += 100) {
			one.clock.pass(100);
			await settle();
		}
		await many;
		expect(message(one.statusOf("r999"))).to.equal("Changed.");
		expect(one.server.writes.length).to.equal(1001);
		expect(one.clock.waiting).to.equal(0);
	});

	it("never has two writes of one object under way, and the newest stays", async () => {
		const one = new Fixture();
		one.put("x");
		const ends: (() => void)[] = [];
		one.server.delay = ({ method }) =>
			method === "PATCH"
				? new Promise((resolve) => ends.push(resolve))
				: Promise.resolve();
		const writes = [];
		for (const text of ["One.", "Two.", "Three."]) {
			writes.push(one.writer.write([status("x", { message: text })]));
			await settle();
		}
		expect(ends).to.have.length(1);
		ends[0]?.();
		await settle();
		expect(ends).to.have.length(2);
		ends[1]?.();
		await Promise.all(writes);
		expect(message(one.statusOf("x"))).to.equal("Three.");
		expect(one.requests.filter((of) => of.startsWith("PATCH"))).to.have.length(
			2,
		);
	});

	it("reports a failure to everybody who asked for that write", async () => {
		const one = new Fixture();
		const names = Array.from({ length: 300 }, (_, index) => `r${index}`);
		for (const name of names) one.put(name);
		one.server.fault = onWrite({ status: 429, retryAfter: 1 });
		const statuses = names.map((name) => status(name));
		const failures = Promise.all([
			failureOf(one.writer.write(statuses)),
			failureOf(one.writer.write(statuses)),
		]);
		for (let ms = 0; ms < 6000; ms += 100) {
			one.clock.pass(100);
			await settle();
		}
		for (const failure of await failures)
			expect(failure).to.have.property("code", "KUBE_BUSY");
		expect(one.server.writes.length).to.be.lessThan(20);
	});

	it("begins nothing more when it is disposed of", async () => {
		const one = new Fixture();
		const names = Array.from({ length: 100 }, (_, index) => `r${index}`);
		for (const name of names) one.put(name);
		let answer = (): void => undefined;
		const held = new Promise<void>((resolve) => {
			answer = resolve;
		});
		one.server.delay = ({ method }) =>
			method === "PATCH" ? held : Promise.resolve();
		const written = one.writer.write(names.map((name) => status(name)));
		await settle();
		const underWay = one.server.writes.length;
		expect(underWay).to.be.within(1, 8);
		one.writer[Symbol.dispose]();
		answer();
		await written;
		expect(one.server.writes.length).to.equal(underWay);
		expect(one.clock.waiting).to.equal(0);
		expect(one.logged).to.deep.equal([]);
	});

	it("passes over an object that is gone", async () => {
		const one = new Fixture();
		one.put("x");
		await one.writer.write([status("gone"), status("x")]);
		expect(one.statusOf("x")).to.be.an("object");
		one.server.remove(path("x"));
		await one.writer.write([status("x", { message: "Now this." })]);
		expect(one.logged).to.deep.equal([]);
	});

	describe("on a replica that does not lead", () => {
		it("asks the server nothing, and writes what differs once it leads", async () => {
			const one = new Fixture(undefined, false);
			one.put("x");
			one.put("y");
			await one.writer.write([status("x"), status("y")]);
			await one.writer.write([status("x", { message: "Now this." })]);
			expect(one.requests).to.deep.equal([]);
			one.leader.state.set(true);
			await settle();
			expect(message(one.statusOf("x"))).to.equal("Now this.");
			expect(message(one.statusOf("y"))).to.equal("It is so.");
		});

		it("forgets what is gone", async () => {
			const one = new Fixture(undefined, false);
			await one.writer.write([status("x")]);
			one.writer.forget([status("x").ref]);
			one.leader.state.set(true);
			await settle();
			expect(one.requests).to.deep.equal([]);
		});

		it("goes on trying when nobody is there to repeat it", async () => {
			const one = new Fixture(undefined, false);
			one.put("x");
			await one.writer.write([status("x")]);
			one.server.fault = () => "unreachable";
			one.leader.state.set(true);
			await settle();
			one.server.fault = () => undefined;
			one.clock.pass(1000);
			await settle();
			expect(one.statusOf("x")).to.be.an("object");
		});
	});

	describe("when another replica has led", () => {
		it("does not set back what that replica wrote, if it lost the lead while it wrote", async () => {
			const old = new Fixture();
			old.put("x");
			await old.writer.write([status("x")]);
			const successor = new Fixture(old.server);
			// The old leader is frozen between asking whether it leads and the request.
			old.server.delay = async () => {
				old.server.delay = () => Promise.resolve();
				old.leader.holds = false;
				await successor.writer.write([status("x", { message: "Newer." })]);
			};
			await old.writer.write([status("x", { message: "Older." })]);
			expect(message(old.statusOf("x"))).to.equal("Newer.");
		});

		it("reads everything anew when it leads again", async () => {
			const old = new Fixture();
			old.put("x");
			await old.writer.write([status("x")]);
			old.leader.state.set(false);
			const successor = new Fixture(old.server);
			await successor.writer.write([status("x", { message: "Newer." })]);
			old.leader.state.set(true);
			await settle();
			expect(message(old.statusOf("x"))).to.equal("It is so.");
			expect(
				old.server.writes.filter((write) => write.includes("/x/")).length,
			).to.equal(3);
		});

		it("puts right what a watch says was changed by others, after a moment", async () => {
			const one = new Fixture();
			one.put("x");
			await one.writer.write([status("x")]);
			one.server.putStatus(path("x"), { observedGeneration: 1 });
			const { metadata, status: now } = one.server.at(path("x")) ?? {};
			const { uid, resourceVersion } = metadata as Record<string, string>;
			one.writer.observe(status("x").ref, {
				uid: uid ?? "",
				resourceVersion: resourceVersion ?? "",
				generation: 1,
				status: now,
			});
			await settle();
			expect(message(one.statusOf("x"))).to.equal(undefined);
			one.clock.pass(1000);
			await settle();
			expect(message(one.statusOf("x"))).to.equal("It is so.");
		});
	});

	describe("when the server says no", () => {
		it("writes the others, reports a refused one and does not fail", async () => {
			const one = new Fixture();
			for (const name of ["a", "b", "c"]) one.put(name);
			one.server.fault = onWrite({ status: 422, reason: "Invalid" }, "/b/");
			await one.writer.write([status("a"), status("b"), status("c")]);
			expect(one.statusOf("a")).to.be.an("object");
			expect(one.statusOf("b")).to.equal(undefined);
			expect(one.statusOf("c")).to.be.an("object");
			expect(one.logged.length).to.equal(1);
			expect(one.metrics.print()).to.contain(
				'lateen_kube_status_refusals_total{code="KUBE_INVALID"} 1',
			);
		});

		it("logs one line for many of a kind, and tries them again after a minute", async () => {
			const one = new Fixture();
			const names = ["a", "b", "c", "d", "e"];
			for (const name of names) one.put(name);
			one.server.fault = onWrite({ status: 403, reason: "Forbidden" });
			await one.writer.write(names.map((name) => status(name)));
			expect(one.logged.length).to.equal(1);
			one.server.fault = () => undefined;
			one.clock.pass(60_000);
			await settle();
			for (const name of names)
				expect(one.statusOf(name), name).to.be.an("object");
		});

		it("leaves out the counts of proxies where the CRD is too old for them, until it is not", async () => {
			const one = new Fixture();
			for (const name of ["a", "b"]) one.put(name);
			one.server.fault = ({ body }) =>
				String(body).includes('"proxies"')
					? {
							status: 500,
							message: ".status.proxies: field not declared in schema",
						}
					: undefined;
			await one.writer.write([status("a"), status("b")]);
			for (const name of ["a", "b"]) {
				expect(message(one.statusOf(name))).to.equal("It is so.");
				expect(one.statusOf(name)).not.to.have.property("proxies");
			}
			expect(one.logged).to.have.length(1);
			const before = one.server.writes.length;
			await one.writer.write([status("a"), status("b")]);
			expect(one.server.writes).to.have.length(before);
			one.server.fault = () => undefined;
			one.clock.pass(60_000);
			await settle();
			for (const name of ["a", "b"])
				expect(one.statusOf(name)).to.have.property("proxies");
		});

		it("fails after all were tried when one failed in a way that may pass", async () => {
			const one = new Fixture();
			for (const name of ["x", "y", "z"]) one.put(name);
			one.server.fault = onWrite({ status: 500 }, "/x/");
			const error = await failureOf(
				one.writer.write([status("x"), status("y"), status("z")]),
			);
			expect((error as KubeError).code).to.equal("KUBE_FAILED");
			expect(one.statusOf("y")).to.be.an("object");
			expect(one.statusOf("z")).to.be.an("object");
		});

		it("does not ask a thousand times when nothing answers", async () => {
			const one = new Fixture();
			const names = Array.from({ length: 100 }, (_, index) => `r${index}`);
			for (const name of names) one.put(name);
			one.server.fault = onWrite("unreachable");
			const error = await failureOf(
				one.writer.write(names.map((name) => status(name))),
			);
			expect((error as KubeError).code).to.equal("KUBE_UNREACHABLE");
			expect(one.server.writes.length).to.be.within(1, 16);
		});

		it("gives up on an object that others change all the time, for now", async () => {
			const one = new Fixture();
			one.put("x");
			one.server.fault = onWrite({ status: 409, reason: "Conflict" });
			const error = await failureOf(one.writer.write([status("x")]));
			expect((error as KubeError).code).to.equal("KUBE_CONFLICT");
			expect(one.server.writes.length).to.equal(5);
		});
	});
});
