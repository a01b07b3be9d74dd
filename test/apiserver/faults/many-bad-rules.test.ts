// Ten thousand rules, a tenth of them bad. The webhook is off: nobody has
// registered one, so the API server asks nobody.

import { readFile } from "node:fs/promises";
import { expect } from "chai";
import type { ClusterReplica } from "../../testkit/cluster-replica.ts";
import { ClusterWorld } from "../../testkit/cluster-world.ts";
import { eventually } from "../../testkit/eventually.ts";
import { figure } from "../../testkit/figure.ts";
import {
	ApiClient,
	type OwnCluster,
	ownCluster,
} from "../../testkit/kube-cluster.ts";
import type { WireProxy } from "../../testkit/wire-proxy.ts";

const rules = 10_000;
/** One of so many is bad. */
const step = 10;
const services = 100;
const writers = 32;
const numbers = Array.from({ length: rules }, (_, number) => number);

interface Rule {
	readonly metadata: { readonly name: string };
	readonly status?: {
		readonly conditions?: readonly {
			readonly type: string;
			readonly status: string;
			readonly message: string;
		}[];
	};
}

describe("ten thousand RouteRules of which a thousand are bad", function () {
	this.timeout(600_000);
	let cluster: OwnCluster;
	let api: ApiClient;
	let world: ClusterWorld;
	let replica: ClusterReplica;
	let proxy: WireProxy;
	let startMs: number;

	before(async () => {
		cluster = await ownCluster();
		api = await ApiClient.of(cluster);
		world = await ClusterWorld.create(cluster);
	});

	after(async () => {
		api?.[Symbol.dispose]();
		await world?.end();
		await cluster?.[Symbol.asyncDispose]();
	});

	/** A tenth of the rules of every Service. */
	function isBad(number: number): boolean {
		return Math.floor(number / services) % step === 0;
	}

	/** Makes objects by many requests at a time. */
	async function make(
		group: string,
		plural: string,
		count: number,
		print: (number: number) => object,
	): Promise<void> {
		let next = 0;
		const write = async (): Promise<void> => {
			while (next < count) {
				const { status, body } = await api.ask(
					"POST",
					`${group}/namespaces/${world.namespace}/${plural}`,
					print(next++),
				);
				expect(status, JSON.stringify(body)).to.equal(201);
			}
		};
		await Promise.all(Array.from({ length: writers }, write));
	}

	async function list(): Promise<readonly Rule[]> {
		const { body } = await api.ask(
			"GET",
			`/apis/lateen.dev/v1alpha1/namespaces/${world.namespace}/routerules`,
		);
		return (body as { readonly items: readonly Rule[] }).items;
	}

	const condition = ({ status }: Rule, type: string) =>
		status?.conditions?.find((one) => one.type === type);

	/** How many requests wrote statuses of rules, by the API server's own count. */
	async function statusWrites(): Promise<number> {
		const events = await readFile(cluster.auditLog, "utf8");
		return events
			.split("\n")
			.filter(
				(line) =>
					line.includes('"subresource":"status"') &&
					line.includes('"resource":"routerules"') &&
					line.includes('"verb":"patch"'),
			).length;
	}

	it("are stored, because nobody is asked about them", async () => {
		await make("/api/v1", "services", services, (number) => ({
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: `service-${number}` },
			spec: { ports: [{ name: "http", port: 80, appProtocol: "http" }] },
		}));
		await make("/apis/lateen.dev/v1alpha1", "routerules", rules, (number) => ({
			apiVersion: "lateen.dev/v1alpha1",
			kind: "RouteRule",
			metadata: { name: `rule-${number}` },
			spec: {
				destination: { name: `service-${number % services}` },
				match: [
					{
						path: isBad(number)
							? { regex: `(?=/${number})` }
							: { exact: `/${number}` },
					},
				],
				respond: { status: 200, body: `answer-${number}.` },
			},
		}));
	});

	it("reach a proxy where they are good, and not where they are bad", async () => {
		startMs = performance.now();
		replica = await world.replica("lateen-0");
		figure("ready after, ms", Math.round(performance.now() - startMs));
		proxy = await world.proxy(replica, "web-1");
		for (const number of numbers)
			if (!isBad(number))
				await proxy.until((one) => one.has(`answer-${number}.`));
		figure(
			"a proxy has all after, ms",
			Math.round(performance.now() - startMs),
		);
		for (const number of numbers)
			if (isBad(number)) expect(proxy.has(`answer-${number}.`)).to.equal(false);
	});

	it("say of themselves that they are live, or what is wrong with them, in one write each", async () => {
		// A list of so many is read when it may be complete, as each takes the API server as long as a hundred writes.
		await eventually(async () => {
			const written = await replica.figure("lateen_kube_status_writes_total");
			expect(written).to.be.at.least(rules);
		}, 500_000);
		const all = await eventually(async () => {
			const now = await list();
			const done = now.filter((rule) =>
				isBad(Number(rule.metadata.name.slice("rule-".length)))
					? condition(rule, "Accepted")?.status === "False"
					: condition(rule, "Ready")?.status === "True",
			);
			expect(done.length).to.equal(rules);
			return now;
		}, 500_000);
		figure("all statuses after, ms", Math.round(performance.now() - startMs));
		const bad = all.filter(
			(rule) => condition(rule, "Accepted")?.status === "False",
		);
		expect(bad).to.have.length(rules / step);
		for (const rule of bad)
			expect(condition(rule, "Accepted")?.message).to.match(
				/spec\.match\[0\]\.path\.regex: RE2 refuses the regex/,
			);
		const writes = await statusWrites();
		figure("status writes", writes);
		// Another one where the first came before the proxy had acknowledged it.
		expect(writes).to.be.within(rules, 2 * rules + 100);
	});

	it("hold up nobody's change, and cost a bounded amount of memory", async () => {
		const changedMs = performance.now();
		await world.answer("one-more");
		await world.wait("web", "Programmed");
		figure(
			"one more rule Programmed, ms",
			Math.round(performance.now() - changedMs),
		);
		expect(proxy.has("one-more")).to.equal(true);
		const peak = await replica.peakMemory();
		figure("peak memory, MiB", Math.round(peak / 2 ** 20));
		expect(peak).to.be.lessThan(800 * 2 ** 20);
		const cpu = await replica.figure("process_cpu_seconds_total");
		figure("CPU of all of it, s", cpu);
	});
});
