import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { parse, parseAllDocuments } from "yaml";
import { inject } from "../../src/injector/inject.ts";
import { type Json, recordIn, recordsIn } from "../../src/injector/json.ts";
import { runLateen } from "../cli/run-lateen.ts";
import { ClusterReplica } from "../testkit/cluster-replica.ts";
import { eventually } from "../testkit/eventually.ts";
import { injectContext } from "../testkit/inject-context.ts";
import {
	type ApiAnswer,
	ApiClient,
	kubectl,
	newNamespace,
	type OwnCluster,
	ownCluster,
} from "../testkit/kube-cluster.ts";
import { mesh } from "../testkit/objects.ts";
import { type ServingReplica, startReplica } from "./serving-replica.ts";

const system = "lateen-system";
const configurations =
	"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/** A pod with probes of every kind, and more that injection has to respect. */
function pod(name: string, fields: Json = {}): Json {
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, labels: { app: "web" }, ...recordIn(fields, "metadata") },
		spec: {
			// The API server of the tests has no plugin that fills it in.
			serviceAccountName: "default",
			automountServiceAccountToken: false,
			initContainers: [{ name: "migrate", image: "migrate" }],
			containers: [
				{
					name: "web",
					image: "web",
					ports: [{ name: "http", containerPort: 8080 }],
					livenessProbe: { httpGet: { path: "/live", port: "http" } },
					readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 3 },
					startupProbe: { grpc: { port: 9090 } },
				},
				{
					name: "exec",
					image: "exec",
					livenessProbe: { exec: { command: ["true"] } },
				},
			],
			volumes: [{ name: "scratch", emptyDir: {} }],
			...recordIn(fields, "spec"),
		},
	};
}

describe("injection on a real API server", function () {
	this.timeout(60_000);
	let cluster: OwnCluster;
	let api: ApiClient;
	let replica: ServingReplica;
	/** Asks for injection. */
	let meshed: string;
	let other: string;

	before(async () => {
		cluster = await ownCluster();
		api = await ApiClient.of(cluster);
		await kubectl(cluster, ["create", "namespace", system]);
		[meshed, other] = await Promise.all([
			namespaceWith("lateen.dev/inject=true"),
			namespaceWith(),
		]);
		replica = await startReplica(cluster, { namespace: system });
		await eventually(async () => {
			const { containers } = await tryOut(meshed, pod("ready"));
			expect(containers).to.include("lateen-proxy");
		});
	});
	after(async () => {
		await replica?.[Symbol.asyncDispose]();
		api?.[Symbol.dispose]();
		await cluster?.[Symbol.asyncDispose]();
	});

	async function namespaceWith(...labels: readonly string[]): Promise<string> {
		const name = await newNamespace(cluster);
		if (labels.length > 0)
			await kubectl(cluster, ["label", "namespace", name, ...labels]);
		// There are no controllers that would make it.
		await kubectl(cluster, ["-n", name, "create", "serviceaccount", "default"]);
		return name;
	}

	const create = (
		namespace: string,
		object: Json,
		query = "",
	): Promise<ApiAnswer> =>
		api.ask(
			"POST",
			`/api/v1/namespaces/${namespace}/pods?fieldValidation=Strict${query}`,
			object,
		);

	async function tryOut(
		namespace: string,
		object: Json,
	): Promise<{
		readonly containers: readonly unknown[];
		readonly answer: ApiAnswer;
	}> {
		const answer = await create(namespace, object, "&dryRun=All");
		expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
		const spec = recordIn(answer.body, "spec");
		return {
			answer,
			containers: [
				...recordsIn(spec, "initContainers"),
				...recordsIn(spec, "containers"),
			].map(({ name }) => name),
		};
	}

	it("puts the proxy into a new pod, first after the capture of its traffic", async () => {
		const { containers, answer } = await tryOut(meshed, pod("web"));
		expect(containers).to.deep.equal([
			"lateen-capture",
			"lateen-proxy",
			"migrate",
			"web",
			"exec",
		]);
		expect(answer.warnings).to.deep.equal([]);
	});

	it("injects a pod to whose name the API server adds", async () => {
		const { name: _, ...metadata } = recordIn(pod("x"), "metadata");
		const { containers } = await tryOut(meshed, {
			...pod("x"),
			metadata: { ...metadata, generateName: "web-" },
		});
		expect(containers).to.include("lateen-proxy");
	});

	it("is the same from `lateen inject`, byte by byte, and takes what that has done as it is", async () => {
		const yaml = JSON.stringify(pod("same"));
		const { code, out } = await runLateen(["inject", "-f", "-"], {
			input: yaml,
		});
		expect(code).to.equal(0);
		const offline = parse(out) as Json;
		const stored = await Promise.all([
			// By the webhook alone, by the command alone, and by both.
			create(meshed, pod("same")),
			create(other, offline),
			create(meshed, {
				...offline,
				metadata: { ...recordIn(offline, "metadata"), name: "both" },
			}),
		]);
		const forms = stored.map(({ status, body }) => {
			expect(status, JSON.stringify(body)).to.equal(201);
			const { labels, annotations } = recordIn(body, "metadata");
			return JSON.stringify({
				labels,
				annotations,
				spec: recordIn(body, "spec"),
			});
		});
		expect(forms[1]).to.equal(forms[0]);
		expect(forms[2]).to.equal(forms[0]);
	});

	it("does what the Mesh says", async () => {
		replica.know(
			mesh({
				injection: {
					...injectContext().settings,
					proxyImage: "mine/proxy:7",
					template: {
						proxy: {
							env: [{ name: "EXTRA", value: "1" }],
							args: ["--mode", "serve"],
						},
						pod: { spec: { priorityClassName: "" } },
					},
				},
			}),
		);
		try {
			const { answer } = await tryOut(meshed, pod("mine"));
			const [, proxy] = recordsIn(
				recordIn(answer.body, "spec"),
				"initContainers",
			);
			expect(proxy?.["image"]).to.equal("mine/proxy:7");
			expect(recordsIn(proxy, "env").map(({ name }) => name)).to.include(
				"EXTRA",
			);
			expect(
				(proxy?.["args"] as string[] | undefined)?.slice(-2),
			).to.deep.equal(["--mode", "serve"]);
		} finally {
			replica.know();
		}
	});

	it("asks pods first, then their namespace", async () => {
		const no = { metadata: { labels: { "lateen.dev/inject": "false" } } };
		const yes = { metadata: { labels: { "lateen.dev/inject": "true" } } };
		const named = (fields: Json): Json =>
			pod("any", {
				metadata: { name: "any", ...recordIn(fields, "metadata") },
			});
		expect((await tryOut(meshed, named(no))).containers).to.not.include(
			"lateen-proxy",
		);
		expect((await tryOut(other, named({}))).containers).to.not.include(
			"lateen-proxy",
		);
		expect((await tryOut(other, named(yes))).containers).to.include(
			"lateen-proxy",
		);
		await kubectl(cluster, [
			"label",
			"namespace",
			"kube-system",
			"lateen.dev/inject=true",
		]);
		await kubectl(cluster, [
			"-n",
			"kube-system",
			"create",
			"serviceaccount",
			"default",
		]);
		expect((await tryOut("kube-system", named(yes))).containers).to.not.include(
			"lateen-proxy",
		);
	});

	it("leaves a pod in its node's network alone, and says so to whoever makes it and to whoever looks", async () => {
		const { containers, answer } = await tryOut(
			meshed,
			pod("host", {
				spec: {
					hostNetwork: true,
					containers: [{ name: "web", image: "web" }],
					initContainers: [],
				},
			}),
		);
		expect(containers).to.deep.equal(["web"]);
		expect(answer.warnings[0]).to.match(/^Not injected: .* node/);
		expect(
			recordIn(recordIn(answer.body, "metadata"), "annotations")[
				"lateen.dev/not-injected"
			],
		).to.match(/^HostNetwork: /);
	});

	it("refuses an annotation that it cannot understand, with its path", async () => {
		const answer = await create(
			meshed,
			pod("bad", {
				metadata: {
					name: "bad",
					annotations: { "lateen.dev/exclude-outbound-ports": "http" },
				},
			}),
		);
		expect(answer.status).to.equal(422);
		expect(JSON.stringify(answer.body)).to.include("exclude-outbound-ports");
	});

	it("passes the checks of the API server for every kind of pod that can be injected", async () => {
		const context = injectContext(
			{},
			{ kubernetes: { nativeSidecars: false, sleepHooks: false } },
		);
		const classic = inject(pod("classic"), context);
		if (classic.kind !== "injected") throw new Error(classic.kind);
		await tryOut(other, classic.pod);
		await tryOut(
			meshed,
			pod("job", {
				spec: {
					restartPolicy: "Never",
					containers: [{ name: "job", image: "job" }],
				},
			}),
		);
		await tryOut(
			meshed,
			pod("strict", {
				spec: {
					securityContext: {
						runAsNonRoot: true,
						runAsUser: 1000,
						fsGroup: 1000,
					},
					shareProcessNamespace: true,
					hostUsers: false,
				},
			}),
		);
	});

	it("cannot have a place where Pod Security forbids NET_ADMIN, and the API server says so", async () => {
		const baseline = await namespaceWith(
			"lateen.dev/inject=true",
			"pod-security.kubernetes.io/enforce=baseline",
		);
		const answer = await create(baseline, pod("web"));
		expect(answer.status).to.equal(403);
		expect(JSON.stringify(answer.body)).to.match(
			/PodSecurity.*lateen-capture.*NET_ADMIN/,
		);
	});

	it("stops no pod elsewhere when nobody answers, and lets none into the mesh without a proxy", async () => {
		const manifest = parseAllDocuments(
			readFileSync(
				join(import.meta.dirname, "../../manifests/base/webhook.yaml"),
				"utf8",
			),
		)
			.map((document) => document.toJS() as Json)
			.find(({ kind }) => kind === "MutatingWebhookConfiguration");
		await replica[Symbol.asyncDispose]();
		// By URL it stays behind, and holds up nobody.
		expect((await tryOut(meshed, pod("late"))).containers).to.not.include(
			"lateen-proxy",
		);
		expect(
			(await api.ask("DELETE", `${configurations}/lateen-url`)).status,
		).to.equal(200);
		expect((await api.ask("POST", configurations, manifest)).status).to.equal(
			201,
		);
		await eventually(async () => {
			const answer = await create(meshed, pod("late"), "&dryRun=All");
			expect(answer.status).to.equal(500);
			expect(JSON.stringify(answer.body)).to.include(
				"namespace.inject.lateen.dev",
			);
		});
		await tryOut(other, pod("late"));
		await tryOut("kube-system", pod("late"));
		await tryOut(
			meshed,
			pod("late", {
				metadata: { name: "late", labels: { "lateen.dev/inject": "false" } },
			}),
		);
	});
});

describe("pods that are not injected on a real API server", function () {
	this.timeout(90_000);
	let cluster: OwnCluster;

	before(async () => {
		cluster = await ownCluster();
	});
	after(async () => {
		await cluster?.[Symbol.asyncDispose]();
	});

	it("are told of by events, on what makes them or on themselves", async () => {
		const own = await newNamespace(cluster);
		const shop = await newNamespace(cluster);
		const inShop = (words: readonly string[], input?: string) =>
			kubectl(cluster, ["-n", shop, ...words], input);
		await inShop(["create", "serviceaccount", "default"]);
		await inShop(["create", "service", "clusterip", "agent", "--tcp=80"]);
		const uid = await inShop([
			...["get", "service", "agent", "-o", "jsonpath={.metadata.uid}"],
		]);
		const host = { spec: { hostNetwork: true, initContainers: [] } };
		const made = (name: string, metadata: Json = {}): string => {
			const before = pod(name, { ...host, metadata: { name, ...metadata } });
			const { containers: _, ...spec } = recordIn(before, "spec");
			const result = inject(
				{
					...before,
					spec: { ...spec, containers: [{ name: "web", image: "web" }] },
				},
				injectContext({}, { namespace: shop }),
			);
			if (result.kind !== "skipped") throw new Error(result.kind);
			return JSON.stringify(result.pod);
		};
		// Whoever makes pods can be of any kind.
		const ownerReferences = [
			{
				...{ apiVersion: "v1", kind: "Service", name: "agent" },
				...{ uid, controller: true },
			},
		];
		await using _ = await ClusterReplica.start({
			cluster,
			namespace: own,
			name: "one",
		});
		await inShop(["create", "-f", "-"], made("alone"));
		for (const name of ["agent-1", "agent-2"])
			await inShop(["create", "-f", "-"], made(name, { ownerReferences }));
		await eventually(async () => {
			for (const object of ["pod/alone", "service/agent"])
				expect(await inShop(["describe", object])).to.match(
					/Warning +NotInjected .*HostNetwork: The pod is in the network of its node/,
				);
			const counts = await inShop([
				...["get", "events.events.k8s.io", "-o"],
				'jsonpath={range .items[*]}{.regarding.name} {.series.count}{"\\n"}{end}',
			]);
			expect(counts.trim().split("\n").sort()).to.deep.equal([
				"agent 2",
				"alone",
			]);
		}, 20_000);
	});
});

describe("the authorities of injected pods on a real API server", function () {
	this.timeout(90_000);
	let cluster: OwnCluster;

	before(async () => {
		cluster = await ownCluster();
	});
	after(async () => {
		await cluster?.[Symbol.asyncDispose]();
	});

	it("are in every namespace that asks for injection or has injected pods, and nowhere else", async () => {
		const own = await newNamespace(cluster);
		const asking = await newNamespace(cluster);
		const quiet = await newNamespace(cluster);
		const run = (...words: readonly string[]): Promise<string> =>
			kubectl(cluster, words);
		await run("label", "namespace", asking, "lateen.dev/inject=true");
		await using _ = await ClusterReplica.start({
			cluster,
			namespace: own,
			name: "one",
		});
		const read = async (namespace: string): Promise<Json> => {
			const text = await run(
				"-n",
				namespace,
				"get",
				"configmap",
				"lateen-ca",
				"--ignore-not-found",
				"-o",
				"json",
			);
			return text === "" ? {} : recordIn(JSON.parse(text), "data");
		};
		const original = (await read(own))["ca.crt"];
		await eventually(async () => {
			expect(await read(asking)).to.have.all.keys(
				"ca.crt",
				"ca-sds.json",
				"token-sds.json",
			);
			expect((await read(asking))["ca.crt"]).to.equal(original);
		});
		expect(await read(quiet)).to.deep.equal({});

		// A pod that asks itself.
		await run("-n", quiet, "create", "serviceaccount", "default");
		await kubectl(
			cluster,
			["-n", quiet, "create", "-f", "-"],
			JSON.stringify({
				apiVersion: "v1",
				kind: "Pod",
				metadata: { name: "web", labels: { "lateen.dev/injected": "0.1.0" } },
				spec: { containers: [{ name: "web", image: "web" }] },
			}),
		);
		await eventually(async () =>
			expect((await read(quiet))["ca.crt"]).to.equal(original),
		);

		// What somebody does to it is mended.
		await run("-n", asking, "delete", "configmap", "lateen-ca");
		await eventually(async () =>
			expect((await read(asking))["ca.crt"]).to.equal(original),
		);
		await run(
			"-n",
			asking,
			"patch",
			"configmap",
			"lateen-ca",
			"--type=merge",
			"-p",
			'{"data":{"ca.crt":"mine"}}',
		);
		await eventually(async () =>
			expect((await read(asking))["ca.crt"]).to.equal(original),
		);

		await run("label", "namespace", asking, "lateen.dev/inject-");
		await run(
			"-n",
			quiet,
			"delete",
			"pod",
			"web",
			"--force",
			"--grace-period=0",
		);
		await eventually(async () => {
			expect(await read(asking)).to.deep.equal({});
			expect(await read(quiet)).to.deep.equal({});
		});
		expect((await read(own))["ca.crt"]).to.equal(original);
	});
});
