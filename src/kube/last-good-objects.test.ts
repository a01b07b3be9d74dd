import { expect } from "chai";
import { eventLoopTurns } from "../../test/testkit/event-loop-turns.ts";
import { FixedLeader } from "../../test/testkit/fixed-leader.ts";
import { MemoryApiServer } from "../../test/testkit/memory-api-server.ts";
import { warningLogger } from "../../test/testkit/recording-logger.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ApiObject } from "../api/objects.ts";
import { parseObject } from "../api/parse-object.ts";
import { WritableSignal } from "../lib/signal.ts";
import { contentOf } from "../store/content-of.ts";
import type { LastGood } from "../store/last-good.ts";
import type { KubeError } from "./kube-error.ts";
import { LastGoodObjects } from "./last-good-objects.ts";
import { ObjectClient } from "./object-client.ts";
import { WritePacer } from "./write-pacer.ts";

const root = "/apis/lateen.dev/v1alpha1/namespaces";

class Fixture {
	readonly server: MemoryApiServer;
	readonly clock = new TestClock();
	readonly leader: FixedLeader;
	readonly allListed = new WritableSignal(true);
	readonly gone = new Set<string>();
	readonly logged: string[] = [];
	readonly store: LastGoodObjects;

	constructor(server = new MemoryApiServer(), leads = true) {
		this.server = server;
		this.leader = new FixedLeader(leads);
		this.store = new LastGoodObjects({
			client: new ObjectClient(server),
			leader: this.leader,
			pacer: new WritePacer(this.clock),
			ownNamespace: "lateen-system",
			objects: {
				allListed: this.allListed,
				exists: ({ name }) => !this.gone.has(name),
			},
			clock: this.clock,
			logger: warningLogger(this.logged),
		});
	}

	specOf(name: string): Readonly<Record<string, unknown>> | undefined {
		const { spec } =
			this.server.at(`${root}/shop/lastgoods/routerule.${name}`) ?? {};
		return spec as Readonly<Record<string, unknown>> | undefined;
	}
}

function ref(name: string): ObjectRef {
	return { kind: "RouteRule", namespace: "shop", name };
}

function rule(name: string, body: string, generation = 1): ApiObject {
	const parsed = parseObject({
		apiVersion: "lateen.dev/v1alpha1",
		kind: "RouteRule",
		metadata: { name, namespace: "shop", uid: `uid-${name}`, generation },
		spec: { destination: { name: "echo" }, respond: { status: 200, body } },
	});
	if (parsed.kind !== "object") throw new Error(JSON.stringify(parsed));
	return parsed.object;
}

function entry(name: string, fields: Partial<LastGood> = {}): LastGood {
	return {
		ref: ref(name),
		valid: rule(name, "new", 2),
		proven: rule(name, "old", 1),
		refusals: [],
		...fields,
	};
}

async function settle(): Promise<void> {
	await eventLoopTurns(40);
}

describe("LastGoodObjects", () => {
	it("reads what it wrote, with generations", async () => {
		const one = new Fixture();
		const written = entry("x", {
			refusals: [
				{
					content: "c",
					software: "envoy 1.40.0",
					proxy: "shop/a",
					message: "no",
					isConfirmed: true,
				},
			],
			accepted: [{ content: "c", software: "envoy 1.41.0" }],
		});
		await one.store.write(written);
		expect(await new Fixture(one.server).store.read()).to.deep.equal([written]);
	});

	it("belongs to its object, and is said by a manager of its own", async () => {
		const one = new Fixture();
		await one.store.write(entry("x"));
		const write = one.server.requests.at(-1);
		expect(write?.query?.["fieldManager"]).to.equal("lateen-last-good");
		expect(JSON.parse(String(write?.body)).metadata).to.deep.include({
			ownerReferences: [
				{
					apiVersion: "lateen.dev/v1alpha1",
					kind: "RouteRule",
					name: "x",
					uid: "uid-x",
				},
			],
		});
	});

	it("keeps a proven form once when it is the valid one", async () => {
		const one = new Fixture();
		const both = rule("x", "same");
		await one.store.write(entry("x", { valid: both, proven: both }));
		expect(one.specOf("x")).to.include({ validIsProven: true });
		expect(one.specOf("x")).not.to.have.property("proven");
		const [read] = await one.store.read();
		expect(read?.proven).to.deep.equal(both);
	});

	it("keeps what speaks of a Mesh in our own namespace", async () => {
		const one = new Fixture();
		const mesh = parseObject({
			apiVersion: "lateen.dev/v1alpha1",
			kind: "Mesh",
			metadata: { name: "default", uid: "u" },
		});
		if (mesh.kind !== "object") throw new Error("no Mesh");
		await one.store.write({
			ref: { kind: "Mesh", namespace: "", name: "default" },
			valid: mesh.object,
			proven: undefined,
			refusals: [],
		});
		expect(
			one.server.at(`${root}/lateen-system/lastgoods/mesh.default`),
		).to.be.an("object");
		expect((await one.store.read()).length).to.equal(1);
	});

	it("takes an object's name of any length", async () => {
		const one = new Fixture();
		const names = ["a", "b"].map((end) => `${"a".repeat(252)}${end}`);
		for (const name of names) await one.store.write(entry(name));
		const read = await one.store.read();
		expect(read.map(({ ref: { name } }) => name)).to.have.members(names);
		for (const path of one.server.writes)
			expect(path.split("/").at(-1)?.length).to.be.at.most(253);
	});

	it("leaves out what is foreign, no longer valid, or where somebody else may write", async () => {
		const one = new Fixture();
		await one.store.write(entry("x"));
		const kept = one.server.at(`${root}/shop/lastgoods/routerule.x`);
		one.server.put(`${root}/evil/lastgoods/routerule.x`, {
			...kept,
			metadata: { name: "routerule.x", namespace: "evil" },
		});
		one.server.put(`${root}/shop/lastgoods/mine`, {
			metadata: { name: "mine", namespace: "shop" },
			spec: "nothing",
		});
		one.server.put(`${root}/shop/lastgoods/routerule.y`, {
			metadata: { name: "routerule.y", namespace: "shop" },
			spec: {
				object: { ...ref("y") },
				valid: { kind: "RouteRule", spec: { destination: 7 } },
			},
		});
		const read = await one.store.read();
		expect(
			read.map(({ ref: { name }, valid }) => [name, valid?.kind]),
		).to.deep.equal([
			["x", "RouteRule"],
			["y", undefined],
		]);
		expect(one.logged.length).to.equal(2);
	});

	it("stays below what etcd takes: of two large forms it keeps the one that proxies have", async () => {
		const large = (name: string, letter: string): ApiObject => {
			const object = rule(name, "");
			if (object.kind !== "RouteRule") throw new Error("no rule");
			const annotations = { big: letter.repeat(700_000) };
			return {
				...object,
				metadata: { ...object.metadata, annotations },
				spec: { ...object.spec, precedence: letter === "a" ? 1 : 2 },
			};
		};
		const one = new Fixture();
		const valid = large("x", "a");
		const proven = large("x", "b");
		await one.store.write(entry("x", { valid, proven }));
		expect(Object.keys(one.specOf("x") ?? {})).to.include("valid");
		expect(Object.keys(one.specOf("x") ?? {})).not.to.include("proven");
		const refusal = {
			content: contentOf(valid),
			software: "envoy",
			proxy: "shop/a",
			message: "no".repeat(9999),
		};
		await one.store.write(entry("x", { valid, proven, refusals: [refusal] }));
		const body = String(one.server.requests.at(-1)?.body);
		expect(body.length).to.be.below(1_400_000);
		expect(Object.keys(JSON.parse(body).spec)).to.include("proven");
		expect(Object.keys(JSON.parse(body).spec)).not.to.include("valid");
	});

	it("does not overwrite what a successor wrote while this replica was frozen", async () => {
		const old = new Fixture();
		await old.store.write(entry("x"));
		const successor = new Fixture(old.server);
		old.server.delay = async ({ method }) => {
			if (method !== "PATCH") return;
			old.server.delay = () => Promise.resolve();
			old.leader.holds = false;
			await successor.store.write(entry("x", { valid: rule("x", "newer", 3) }));
		};
		await old.store.write(entry("x", { valid: rule("x", "older", 2) }));
		expect(JSON.stringify(old.specOf("x"))).to.contain("newer");
	});

	describe("on a replica that does not lead", () => {
		it("writes and removes nothing, and writes what is missing once it leads", async () => {
			const one = new Fixture(undefined, false);
			await one.store.write(entry("x"));
			await one.store.write(entry("y"));
			await one.store.remove(ref("y"));
			expect(one.server.requests).to.deep.equal([]);
			one.leader.state.set(true);
			await settle();
			expect(one.specOf("x")).to.be.an("object");
			expect(one.specOf("y")).to.equal(undefined);
		});

		it("leaves alone what the leader before has kept and knows better", async () => {
			const before = new Fixture();
			await before.store.write(entry("x"));
			const one = new Fixture(before.server, false);
			await one.store.write(entry("x", { proven: undefined }));
			one.leader.state.set(true);
			await settle();
			expect(one.server.writes.length).to.equal(1);
		});

		it("adds what its own proxies have shown to what the leader before has kept", async () => {
			const before = new Fixture();
			const refusal = (software: string) => ({
				...{ content: "c", software, proxy: "shop/a", message: "no" },
			});
			await before.store.write(
				entry("x", { proven: undefined, refusals: [refusal("one")] }),
			);
			const one = new Fixture(before.server, false);
			await one.store.write(entry("x", { refusals: [refusal("other")] }));
			one.leader.state.set(true);
			await settle();
			const refusals = [refusal("one"), refusal("other")];
			expect(await one.store.read()).to.deep.equal([entry("x", { refusals })]);
		});

		it("removes what is left of objects that are gone, once it is certain", async () => {
			const before = new Fixture();
			await before.store.write(entry("x"));
			await before.store.write(entry("y"));
			const one = new Fixture(before.server, false);
			one.allListed.set(false);
			one.gone.add("x");
			one.leader.state.set(true);
			await settle();
			expect(one.specOf("x")).to.be.an("object");
			one.allListed.set(true);
			await settle();
			expect(one.specOf("x")).to.equal(undefined);
			expect(one.specOf("y")).to.be.an("object");
		});

		it("tries again when that fails", async () => {
			const one = new Fixture(undefined, false);
			await one.store.write(entry("x"));
			one.server.fault = () => "unreachable";
			one.leader.state.set(true);
			await settle();
			one.server.fault = () => undefined;
			one.clock.pass(1000);
			await settle();
			expect(one.specOf("x")).to.be.an("object");
		});
	});

	it("fails when it may work later, and passes over what never will", async () => {
		const one = new Fixture();
		one.server.fault = ({ method }) =>
			method === "PATCH" ? { status: 500 } : undefined;
		const error: unknown = await one.store
			.write(entry("x"))
			.catch((thrown: unknown) => thrown);
		expect((error as KubeError).code).to.equal("KUBE_FAILED");
		one.server.fault = ({ method }) =>
			method === "PATCH" ? { status: 422, reason: "Invalid" } : undefined;
		await one.store.write(entry("x"));
		expect(one.logged.length).to.equal(1);
	});

	it("passes over an object whose namespace is being deleted", async () => {
		const one = new Fixture();
		one.server.fault = ({ method }) =>
			method === "PATCH" ? { status: 403, reason: "Forbidden" } : undefined;
		await one.store.write(entry("x"));
		expect(one.logged).to.deep.equal([]);
	});

	it("removes an object, also one that it does not have", async () => {
		const one = new Fixture();
		await one.store.write(entry("x"));
		await one.store.remove(ref("x"));
		await one.store.remove(ref("x"));
		expect(await one.store.read()).to.deep.equal([]);
	});
});
