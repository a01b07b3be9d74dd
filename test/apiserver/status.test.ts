import { expect } from "chai";
import type { ConditionStatus, ObjectStatus } from "../../src/api/status.ts";
import { ObjectClient } from "../../src/kube/object-client.ts";
import { resources } from "../../src/kube/resources.ts";
import { watchStatuses } from "../../src/kube/status-watch.ts";
import {
	KubeStatusWriter,
	statusManager,
} from "../../src/kube/status-writer.ts";
import { WritePacer } from "../../src/kube/write-pacer.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { type Logger, silentLogger } from "../../src/observability/logger.ts";
import { MetricsRegistry } from "../../src/observability/metrics.ts";
import { apiServerPlace } from "../testkit/api-server-place.ts";
import { eventually } from "../testkit/eventually.ts";
import { FixedLeader } from "../testkit/fixed-leader.ts";
import { connectTo, type ObservedConnection } from "../testkit/kube-client.ts";
import { type KubeCluster, kubectl } from "../testkit/kube-cluster.ts";

interface Condition {
	readonly type: string;
	readonly status: string;
	readonly lastTransitionTime: string;
	readonly message: string;
}

interface Rule {
	readonly metadata: {
		readonly uid: string;
		readonly resourceVersion: string;
		readonly generation: number;
		readonly managedFields: readonly {
			readonly manager: string;
			readonly operation: string;
			readonly subresource?: string;
		}[];
	};
	readonly status?: {
		readonly observedGeneration: number;
		readonly conditions: readonly Condition[];
	};
}

describe("statuses on an API server", () => {
	const place = apiServerPlace();
	let cluster: KubeCluster;
	let connection: ObservedConnection;
	let client: ObjectClient;
	let namespace: string;

	beforeEach(() => {
		({ cluster, connection, client, namespace } = place);
	});

	function writer(
		leader = new FixedLeader(),
		logger: Logger = silentLogger,
		through = client,
	): KubeStatusWriter {
		return new KubeStatusWriter({
			client: through,
			leader,
			pacer: new WritePacer(systemClock),
			clock: systemClock,
			logger,
			metrics: new MetricsRegistry(),
		});
	}

	async function makeRule(name: string, service = "echo"): Promise<void> {
		await client.apply({
			resource: resources.RouteRule,
			at: { namespace, name },
			manager: "person",
			fields: { spec: { destination: { name: service } } },
		});
	}

	async function rule(name: string): Promise<Rule> {
		const { content } = await client.get(resources.RouteRule, {
			namespace,
			name,
		});
		return content as unknown as Rule;
	}

	function status(
		name: string,
		fields: {
			readonly is?: ConditionStatus;
			readonly message?: string;
			readonly generation?: number;
			readonly sinceMs?: number;
			readonly reason?: string;
		} = {},
	): ObjectStatus {
		const observedGeneration = fields.generation ?? 1;
		return {
			ref: { kind: "RouteRule", namespace, name },
			observedGeneration,
			conditions: (["Accepted", "Programmed", "Ready"] as const).map(
				(type) => ({
					type,
					status: fields.is ?? "True",
					reason: fields.reason ?? "Because",
					message: fields.message ?? "It is so.",
					observedGeneration,
					lastTransitionMs: fields.sinceMs ?? Date.UTC(2026, 0, 1),
				}),
			),
			proxies: { total: 0, acknowledged: 0, rejected: 0 },
		};
	}

	it("can be waited for with kubectl, and belong to one manager", async () => {
		await makeRule("x");
		const waiting = kubectl(cluster, [
			...["wait", "--for=condition=Programmed", "routerule/x"],
			...["-n", namespace, "--timeout=20s"],
		]);
		await writer().write([status("x")]);
		expect(await waiting).to.contain("condition met");
		const { metadata } = await rule("x");
		expect(metadata.generation).to.equal(1);
		expect(
			metadata.managedFields.find(({ manager }) => manager === statusManager),
		).to.include({ operation: "Apply", subresource: "status" });
	});

	it("are not written again after a restart, and keep their transition times", async () => {
		await makeRule("x");
		await writer().write([status("x")]);
		const before = await rule("x");
		connection.requests.length = 0;
		const restarted = writer();
		await restarted.write([status("x", { sinceMs: Date.UTC(2026, 5, 1) })]);
		expect(connection.writes).to.equal(0);
		expect((await rule("x")).metadata.resourceVersion).to.equal(
			before.metadata.resourceVersion,
		);
		await restarted.write([
			status("x", { message: "New words.", sinceMs: Date.UTC(2026, 5, 1) }),
		]);
		const [same] = (await rule("x")).status?.conditions ?? [];
		expect(same).to.include({
			message: "New words.",
			lastTransitionTime: "2026-01-01T00:00:00Z",
		});
		await restarted.write([
			status("x", { is: "False", sinceMs: Date.UTC(2026, 5, 1) }),
		]);
		const [flipped] = (await rule("x")).status?.conditions ?? [];
		expect(flipped?.lastTransitionTime).to.equal("2026-06-01T00:00:00Z");
	});

	it("follow a spec that changes all the time", async () => {
		await makeRule("x");
		const statuses = writer();
		for (let generation = 1; generation <= 10; generation += 1) {
			if (generation > 1) await makeRule("x", `echo-${generation}`);
			await statuses.write([status("x", { generation })]);
			expect((await rule("x")).status?.observedGeneration).to.equal(generation);
		}
	});

	it("leave conditions of others alone", async () => {
		await makeRule("x");
		await writer().write([status("x")]);
		await client.applyStatus({
			resource: resources.RouteRule,
			at: { namespace, name: "x" },
			manager: "somebody",
			status: {
				conditions: [
					{
						type: "Checked",
						status: "True",
						lastTransitionTime: "2026-01-01T00:00:00Z",
						reason: "Fine",
						message: "",
					},
				],
			},
		});
		await writer().write([status("x", { is: "False" })]);
		const types = (await rule("x")).status?.conditions.map(
			({ type, status: is }) => `${type}=${is}`,
		);
		expect(types).to.have.members([
			"Accepted=False",
			"Programmed=False",
			"Ready=False",
			"Checked=True",
		]);
	});

	it("are not set back by a leader that was frozen while it wrote", async () => {
		await makeRule("x");
		const frozen = await connectTo(cluster.kubeconfig);
		const leader = new FixedLeader();
		const old = writer(leader, silentLogger, new ObjectClient(frozen));
		await old.write([status("x")]);
		frozen.delay = async () => {
			frozen.delay = () => Promise.resolve();
			leader.holds = false;
			await writer().write([status("x", { message: "Newer." })]);
		};
		await old.write([status("x", { message: "Older." })]);
		const [first] = (await rule("x")).status?.conditions ?? [];
		expect(first?.message).to.equal("Newer.");
		expect(frozen.writes).to.equal(2);
		await frozen[Symbol.asyncDispose]();
	});

	it("are not given to another object of the same name", async () => {
		await makeRule("x");
		const statuses = writer();
		await statuses.write([status("x")]);
		await client.delete(resources.RouteRule, { namespace, name: "x" });
		await statuses.write([status("x", { message: "Gone." })]);
		await makeRule("x");
		expect((await rule("x")).status?.conditions).to.equal(undefined);
		await statuses.write([status("x", { message: "Here." })]);
		expect((await rule("x")).status?.conditions[0]?.message).to.equal("Here.");
	});

	it("that the server refuses do not stop the others", async () => {
		const logged: string[] = [];
		const logger: Logger = {
			...silentLogger,
			warn: (_, fields) => logged.push(String(fields?.["error"])),
		};
		for (const name of ["x", "y", "z"]) await makeRule(name);
		await writer(undefined, logger).write([
			status("x"),
			status("y", { reason: "no word" }),
			status("z"),
		]);
		expect((await rule("x")).status).to.be.an("object");
		expect((await rule("y")).status?.conditions).to.equal(undefined);
		expect((await rule("z")).status).to.be.an("object");
		expect(logged.join()).to.contain("KubeError");
		expect(logged.join()).to.contain("status.conditions[0].reason");
	});

	it("that the role does not allow are reported with what the role needs", async () => {
		await makeRule("x");
		await kubectl(cluster, [
			...["create", "role", "reader", "-n", namespace],
			...["--verb=get,list", "--resource=routerules"],
		]);
		await kubectl(cluster, [
			...["create", "rolebinding", "reader", "-n", namespace],
			...["--role=reader", "--user=half-trusted"],
		]);
		const logged: string[] = [];
		const logger: Logger = {
			...silentLogger,
			warn: (_, fields) => logged.push(String(fields?.["error"])),
		};
		const other = await connectTo(cluster.kubeconfig, "half-trusted");
		await writer(undefined, logger, new ObjectClient(other)).write([
			status("x"),
		]);
		expect(logged.join()).to.contain(
			"Give the role the verb patch on routerules/status of lateen.dev.",
		);
		await other[Symbol.asyncDispose]();
	});

	it("are put right when somebody changes them, and need no reading, while they are watched", async () => {
		await makeRule("x");
		const stopping = new AbortController();
		const leader = new FixedLeader(false);
		const statuses = writer(leader);
		let generation = 0;
		const watching = watchStatuses(
			{
				connection,
				leader,
				kinds: [resources.RouteRule],
				observe: (ref, seen) => {
					if (ref.namespace === namespace) generation = seen.generation;
					statuses.observe(ref, seen);
				},
				clock: systemClock,
				logger: silentLogger,
			},
			stopping.signal,
		);
		leader.state.set(true);
		await statuses.write([status("x")]);
		await client.applyStatus({
			resource: resources.RouteRule,
			at: { namespace, name: "x" },
			manager: "somebody",
			status: { observedGeneration: 1, conditions: [], proxies: { total: 77 } },
		});
		await eventually(async () => {
			const text = JSON.stringify((await rule("x")).status);
			expect(text).not.to.contain("77");
		});
		await makeRule("x", "other");
		await eventually(() => expect(generation).to.equal(2));
		connection.requests.length = 0;
		await statuses.write([status("x", { generation })]);
		expect(connection.requests.map(({ method }) => method)).to.deep.equal([
			"PATCH",
		]);
		stopping.abort();
		await watching;
	});
});
