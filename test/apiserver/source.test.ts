import { expect } from "chai";
import { installCrds } from "../../hack/cluster/install-crds.ts";
import type { KubeConnection } from "../../src/kube/connection.ts";
import { loadKubeConfig } from "../../src/kube/kube-config.ts";
import { ObjectClient } from "../../src/kube/object-client.ts";
import { openConnection } from "../../src/kube/open-connection.ts";
import { resources } from "../../src/kube/resources.ts";
import { addWatchMetrics } from "../../src/kube/watch-metrics.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { MetricsRegistry } from "../../src/observability/metrics.ts";
import {
	createKubernetesSource,
	type KubernetesSource,
} from "../../src/sources/kubernetes.ts";
import { eventually } from "../testkit/eventually.ts";
import { FastClock } from "../testkit/fast-clock.ts";
import {
	kubectl,
	type OwnCluster,
	ownCluster,
} from "../testkit/kube-cluster.ts";
import { type RunningSource, runSource } from "../testkit/running-source.ts";
import { describeSource, type Outside } from "../testkit/source-conformance.ts";
import { TcpRelay } from "../testkit/tcp-relay.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const never = new AbortController().signal;

/** Waits and limits of silence are a tenth of what they are. */
const clock = new FastClock(10);

let cluster: OwnCluster;
before(async function () {
	this.timeout(600_000);
	cluster = await ownCluster();
});
after(async () => {
	await cluster?.[Symbol.asyncDispose]();
});

async function connect(
	kubeconfig = cluster.kubeconfig,
): Promise<KubeConnection> {
	const access = await loadKubeConfig({ kubeconfig, environment: {}, clock });
	return openConnection(access, { clock, userAgent: "lateen/test" });
}

async function writeRule(
	connection: KubeConnection,
	name: string,
	spec: object,
): Promise<void> {
	await new ObjectClient(connection).apply({
		resource: resources.RouteRule,
		at: { namespace: "default", name },
		manager: "test",
		fields: { spec },
	});
}

async function removeRules(
	connection: KubeConnection,
	name?: string,
): Promise<void> {
	const all = "/apis/lateen.dev/v1alpha1/namespaces/default/routerules";
	const path = name === undefined ? all : `${all}/${name}`;
	const answer = await connection.request({ method: "DELETE", path }, never);
	await answer.text();
	expect(answer.status).to.equal(200);
}

describeSource("a real API server", async (): Promise<Outside> => {
	const connection = await connect();
	return {
		// What the CRD refuses is never stored; RE2 is beyond it.
		refused: {
			spec: { match: [{ path: { regex: "(?=x)" } }] },
			path: "spec.match[0].path.regex",
		},
		source: () =>
			createKubernetesSource({
				name: "kubernetes",
				connection,
				clock,
				logger: silentLogger,
			}),
		write: ({ metadata, spec }) => writeRule(connection, metadata.name, spec),
		remove: (name) => removeRules(connection, name),
		async [Symbol.asyncDispose]() {
			await removeRules(connection);
			await connection[Symbol.asyncDispose]();
		},
	};
});

describe("a source over a real API server", function () {
	this.timeout(120_000);
	let relay: TcpRelay;
	let direct: KubeConnection;
	let relayed: KubeConnection;
	let registry: MetricsRegistry;
	let source: KubernetesSource;
	let running: RunningSource;

	beforeEach(async () => {
		relay = await TcpRelay.to(Number(new URL(cluster.server).port));
		direct = await connect();
		relayed = await connect(
			await cluster.kubeconfigFor(`https://127.0.0.1:${relay.port}`),
		);
		await writeRule(direct, "a", rule(1));
		await writeRule(direct, "b", rule(1));
		registry = new MetricsRegistry();
		source = createKubernetesSource({
			name: "kubernetes",
			connection: relayed,
			clock,
			logger: silentLogger,
			metrics: addWatchMetrics(registry),
		});
		running = runSource(source);
		await shows({ "default/a": 1, "default/b": 1 });
	});
	afterEach(async () => {
		await running[Symbol.asyncDispose]();
		await relayed[Symbol.asyncDispose]();
		await relay[Symbol.asyncDispose]();
		await removeRules(direct);
		await direct[Symbol.asyncDispose]();
	});

	const rule = (precedence: number) => ({
		destination: { name: "reviews" },
		precedence,
	});

	/** Waits until the store has these RouteRules, by their precedence. */
	const shows = (wanted: Readonly<Record<string, number>>): Promise<unknown> =>
		eventually(() => {
			expect(running.listings()).to.equal(1);
			const rules = [...running.store.objects.value.RouteRule];
			const seen = rules.map(([key, { spec }]) => [key, spec.precedence]);
			expect(Object.fromEntries(seen)).to.deep.equal(wanted);
		}, 60_000);

	const asked = (request: string): number => {
		const line = registry
			.print()
			.split("\n")
			.find((one) =>
				one.startsWith(
					`lateen_kube_watch_requests_total{resource="routerules",request="${request}"}`,
				),
			);
		return Number(line?.split(" ").at(-1) ?? 0);
	};

	const allIsWell = (): Promise<unknown> =>
		eventually(() => expect(source.problems.value).to.deep.equal([]), 60_000);

	it("streams its lists", () => {
		expect([asked("stream"), asked("page")]).to.deep.equal([1, 0]);
	});

	it("resumes after its connections were cut, and lists nothing again", async () => {
		relay.refuse();
		await writeRule(direct, "a", rule(2));
		await removeRules(direct, "b");
		await eventually(() =>
			expect(source.problems.value.map((one) => one.reason)).to.deep.equal(
				Array.from({ length: 6 }, () => "KUBE_UNREACHABLE"),
			),
		);
		relay.pass();
		await shows({ "default/a": 2 });
		await allIsWell();
		expect([asked("stream"), asked("page")]).to.deep.equal([1, 0]);
	});

	it("notices connections that went silent", async () => {
		relay.swallow();
		await writeRule(direct, "a", rule(3));
		relay.pass();
		await shows({ "default/a": 3, "default/b": 1 });
		await allIsWell();
		expect(asked("stream")).to.equal(1);
	});

	it("keeps what it has while the API server is dead, and goes on when it is back", async () => {
		await cluster.killApiserver();
		await eventually(() => expect(source.problems.value).to.have.length(6));
		expect([...running.store.objects.value.RouteRule.keys()]).to.deep.equal([
			"default/a",
			"default/b",
		]);
		await cluster.startApiserver();
		await writeRule(direct, "c", rule(1));
		await shows({ "default/a": 1, "default/b": 1, "default/c": 1 });
		await allIsWell();
	});

	it("lists again when etcd has forgotten what it missed", async () => {
		relay.refuse();
		await removeRules(direct, "a");
		await writeRule(direct, "b", rule(4));
		await cluster.compactEtcd();
		await cluster.stopApiserver();
		await cluster.startApiserver();
		const before = asked("stream");
		relay.pass();
		await shows({ "default/b": 4 });
		await allIsWell();
		expect(asked("stream")).to.be.greaterThan(before);
	});

	it("waits for a kind that is taken away, and reads it when it is back", async () => {
		await kubectl(cluster, ["delete", "crd", "routerules.lateen.dev"]);
		await shows({});
		await eventually(
			() =>
				expect(source.problems.value).to.deep.include({
					resource: "routerules.lateen.dev",
					reason: "missing",
					message:
						"The API server does not know this kind. Apply the CRDs that belong to this version of Lateen; it is read as soon as they are there.",
				}),
			60_000,
		);
		await using second = runSource(
			createKubernetesSource({
				name: "kubernetes",
				connection: direct,
				clock,
				logger: silentLogger,
			}),
		);
		// Nothing of a kind that is not known can be there, so there is nothing to wait for.
		await eventually(() => expect(second.listings()).to.equal(1));
		await installCrds(cluster);
		await writeRule(direct, "z", rule(1));
		await shows({ "default/z": 1 });
		await allIsWell();
		await eventually(
			() =>
				expect([...second.store.objects.value.RouteRule.keys()]).to.deep.equal([
					"default/z",
				]),
			60_000,
		);
	});

	it("waits for what it may not read, says which verb is missing, and reads it once the role allows", async () => {
		const user = "jane";
		const access = await loadKubeConfig({
			kubeconfig: cluster.kubeconfig,
			environment: {},
			clock,
		});
		await using asJane = openConnection(
			{ ...access, headers: { "impersonate-user": user } },
			{ clock, userAgent: "lateen/test" },
		);
		const narrow = createKubernetesSource({
			name: "kubernetes",
			connection: asJane,
			clock,
			logger: silentLogger,
		});
		await using seen = runSource(narrow);
		await eventually(() =>
			expect(narrow.problems.value.map((one) => one.reason)).to.deep.equal(
				Array.from({ length: 6 }, () => "KUBE_FORBIDDEN"),
			),
		);
		expect(narrow.problems.value.at(-2)?.message).to.include(
			"Give the role the verb watch on routerules of lateen.dev.",
		);
		expect(seen.listings()).to.equal(0);
		try {
			await kubectl(cluster, [
				...["create", "clusterrolebinding", "jane-views"],
				...["--clusterrole=cluster-admin", `--user=${user}`],
			]);
			await eventually(() => expect(seen.listings()).to.equal(1), 60_000);
			expect(seen.store.objects.value.RouteRule.size).to.equal(2);
		} finally {
			await kubectl(cluster, ["delete", "clusterrolebinding", "jane-views"]);
		}
	});

	it("keeps what it has when there is more than it may keep, and goes on when there is not", async () => {
		const small = createKubernetesSource({
			name: "kubernetes",
			connection: direct,
			clock,
			logger: silentLogger,
			kinds: ["RouteRule"],
			limits: { maxObjects: 5, maxBytes: 1_000_000 },
		});
		await using seen = runSource(small);
		await eventually(() => expect(seen.listings()).to.equal(1));
		for (let n = 0; n < 10; n++) await writeRule(direct, `many${n}`, rule(1));
		await eventually(() =>
			expect(small.problems.value[0]?.message).to.include("at most 5 objects"),
		);
		expect(seen.store.objects.value.RouteRule.size).to.be.within(2, 5);
		await removeRules(direct);
		await eventually(
			() => expect(seen.store.objects.value.RouteRule.size).to.equal(0),
			60_000,
		);
	});

	it("takes the new token of its ServiceAccount when the old one is refused", async () => {
		const account = ["-n", "default", "serviceaccount", "reader"];
		const token = () =>
			kubectl(cluster, ["-n", "default", "create", "token", "reader"]);
		using folder = new TemporaryFolder();
		await kubectl(cluster, ["create", ...account]);
		await kubectl(cluster, [
			...["create", "clusterrolebinding", "reader-views"],
			...["--clusterrole=cluster-admin", "--serviceaccount=default:reader"],
		]);
		folder.write("token", await token());
		const access = await loadKubeConfig({
			kubeconfig: cluster.kubeconfig,
			environment: {},
			clock,
		});
		const { ca } = await access.load();
		folder.write("ca.crt", ca ?? "");
		folder.write(
			"config",
			JSON.stringify({
				"current-context": "a",
				contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
				clusters: [
					{
						name: "a",
						cluster: {
							server: `https://127.0.0.1:${relay.port}`,
							"certificate-authority": "ca.crt",
						},
					},
				],
				users: [{ name: "a", user: { tokenFile: "token" } }],
			}),
		);
		await using connection = await connect(folder.at("config"));
		const reader = createKubernetesSource({
			name: "kubernetes",
			connection,
			clock,
			logger: silentLogger,
		});
		await using seen = runSource(reader);
		await eventually(() => expect(seen.listings()).to.equal(1));
		// A token ends with its account, also where a new one has its name.
		await kubectl(cluster, ["delete", ...account]);
		await kubectl(cluster, ["create", ...account]);
		await eventually(() => {
			// The server believes a token for some seconds after its end.
			if (reader.problems.value.length === 0) relay.refuse();
			relay.pass();
			expect(reader.problems.value.map((one) => one.reason)).to.include(
				"KUBE_UNAUTHENTICATED",
			);
		}, 60_000);
		expect(seen.store.objects.value.RouteRule.size).to.equal(2);
		folder.write("token", await token());
		await writeRule(direct, "c", rule(1));
		await eventually(() => {
			expect(reader.problems.value).to.deep.equal([]);
			expect(seen.store.objects.value.RouteRule.size).to.equal(3);
		}, 60_000);
		await kubectl(cluster, ["delete", ...account]);
		await kubectl(cluster, ["delete", "clusterrolebinding", "reader-views"]);
	});
});
