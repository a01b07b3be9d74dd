import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect } from "chai";
import type { ObjectClient } from "../../src/kube/object-client.ts";
import { resources } from "../../src/kube/resources.ts";
import { apiServerPlace } from "../testkit/api-server-place.ts";
import { eventually } from "../testkit/eventually.ts";
import type { KubeCluster } from "../testkit/kube-cluster.ts";
import { TcpRelay } from "../testkit/tcp-relay.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

/** One contender, as a process of its own. */
class Contender implements AsyncDisposable {
	readonly name: string;
	/** What it said of itself, in order. */
	readonly said: string[] = [];
	readonly #process: ChildProcess;
	readonly #ended: Promise<unknown>;

	constructor(kubeconfig: string, namespace: string, name: string) {
		this.name = name;
		this.#process = spawn(
			process.execPath,
			[join(import.meta.dirname, "contender.ts"), kubeconfig, namespace, name],
			{ stdio: ["ignore", "pipe", "inherit"] },
		);
		this.#ended = once(this.#process, "exit");
		if (this.#process.stdout !== null)
			createInterface(this.#process.stdout).on("line", (line) =>
				this.said.push(line),
			);
	}

	get leads(): boolean {
		return this.said.at(-1) === "leads";
	}

	freeze(): void {
		this.#process.kill("SIGSTOP");
	}

	thaw(): void {
		this.#process.kill("SIGCONT");
	}

	async stop(): Promise<void> {
		this.thaw();
		this.#process.kill("SIGTERM");
		await this.#ended;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.thaw();
		this.#process.kill("SIGKILL");
		await this.#ended;
	}
}

/** Time for a takeover on a machine that does other things, too. */
const patienceMs = 40_000;

describe("leaders on an API server", function () {
	this.timeout(120_000);
	const place = apiServerPlace();
	let cluster: KubeCluster;
	let client: ObjectClient;
	let namespace: string;

	beforeEach(async () => {
		({ cluster, client, namespace } = place);
		await client.apply({
			resource: resources.RouteRule,
			at: { namespace, name: "x" },
			manager: "person",
			fields: { spec: { destination: { name: "echo" } } },
		});
	});

	/** Who wrote the status that is there now. */
	async function writer(): Promise<string> {
		const at = { namespace, name: "x" };
		const { content } = await client.get(resources.RouteRule, at);
		const { conditions = [] } = (content["status"] ?? {}) as {
			readonly conditions?: readonly { readonly message: string }[];
		};
		return conditions[0]?.message.split(" ")[0] ?? "";
	}

	async function untilWrittenBy(one: Contender): Promise<void> {
		await eventually(async () => {
			expect(one.leads).to.equal(true);
			expect(await writer()).to.equal(one.name);
		}, patienceMs);
	}

	/** Looks at the status for as long as `during` takes, and returns who wrote what was seen. */
	async function writersWhile(
		during: Promise<unknown>,
	): Promise<readonly string[]> {
		const seen: string[] = [];
		let isOver = false;
		const over = during.finally(() => {
			isOver = true;
		});
		while (!isOver) {
			const now = await writer();
			if (seen.at(-1) !== now) seen.push(now);
		}
		await over;
		return seen;
	}

	it("that are frozen are replaced, and write nothing more when they go on", async () => {
		await using a = new Contender(cluster.kubeconfig, namespace, "a");
		await untilWrittenBy(a);
		await using b = new Contender(cluster.kubeconfig, namespace, "b");
		a.freeze();
		await untilWrittenBy(b);
		a.thaw();
		const told = eventually(
			() => expect(a.said).to.deep.equal(["leads", "lost"]),
			patienceMs,
		);
		expect(await writersWhile(told)).to.deep.equal(["b"]);
		expect(b.said).to.deep.equal(["leads"]);
	});

	it("that are frozen again and again never write at the same time", async () => {
		await using a = new Contender(cluster.kubeconfig, namespace, "a");
		await untilWrittenBy(a);
		await using b = new Contender(cluster.kubeconfig, namespace, "b");
		let [leader, other] = [a, b];
		const turns: string[] = [];
		for (let turn = 0; turn < 3; turn += 1) {
			leader.freeze();
			await untilWrittenBy(other);
			leader.thaw();
			const frozen = leader;
			const told = eventually(
				() => expect(frozen.leads).to.equal(false),
				patienceMs,
			);
			turns.push(...(await writersWhile(told)));
			[leader, other] = [other, leader];
		}
		expect(turns).to.deep.equal(["b", "a", "b"]);
	});

	it("that are cut off know it by themselves before they are replaced", async () => {
		using folder = new TemporaryFolder();
		const port = Number(new URL(cluster.server).port);
		await using relay = await TcpRelay.to(port);
		const kubeconfig = join(folder.path, "kubeconfig");
		const text = await readFile(cluster.kubeconfig, "utf8");
		await writeFile(
			kubeconfig,
			text.replaceAll(cluster.server, `https://127.0.0.1:${relay.port}`),
		);
		await using a = new Contender(kubeconfig, namespace, "a");
		await untilWrittenBy(a);
		await using b = new Contender(cluster.kubeconfig, namespace, "b");
		relay.swallow();
		let lostFirst: boolean | undefined;
		await eventually(() => {
			if (b.leads) lostFirst ??= !a.leads;
			expect(b.leads).to.equal(true);
		}, patienceMs);
		expect(lostFirst).to.equal(true);
		await untilWrittenBy(b);
		relay.refuse();
		relay.pass();
		await b.stop();
		await untilWrittenBy(a);
		expect(a.said).to.deep.equal(["leads", "lost", "leads"]);
	});

	it("that stop leave the lead to the next at once", async () => {
		await using a = new Contender(cluster.kubeconfig, namespace, "a");
		await untilWrittenBy(a);
		await using b = new Contender(cluster.kubeconfig, namespace, "b");
		const at = { namespace, name: "lateen-leader" };
		await a.stop();
		expect((await client.get(resources.Lease, at)).content["spec"]).to.satisfy(
			({ holderIdentity = "" }: { readonly holderIdentity?: string }) =>
				holderIdentity === "" || holderIdentity.startsWith("b_"),
		);
		await untilWrittenBy(b);
	});
});
