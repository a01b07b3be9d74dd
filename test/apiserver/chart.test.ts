import { execFile } from "node:child_process";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { parse, parseAllDocuments } from "yaml";
import { ensureHelm, ensureKubernetes } from "../../hack/ensure-kubernetes.ts";
import { recordIn, recordsIn } from "../../src/injector/json.ts";
import { programVersion } from "../../src/settings/program-version.ts";
import { runLateen } from "../cli/run-lateen.ts";
import { eventually } from "../testkit/eventually.ts";
import {
	kubectl,
	type OwnCluster,
	ownCluster,
} from "../testkit/kube-cluster.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";
import { startReplica } from "./serving-replica.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const CHART = join(ROOT, "manifests/chart");
const system = "lateen-system";

/** What the chart has for each folder of kustomize. */
const profiles = [
	{ path: "manifests/base", values: [] },
	{
		path: "manifests/overlays/one-replica",
		values: ["-f", join(CHART, "values-one-replica.yaml")],
	},
	{
		path: "manifests/overlays/ha",
		values: ["-f", join(CHART, "values-ha.yaml")],
	},
] as const;

interface Manifest {
	readonly kind: string;
	readonly metadata: {
		readonly name: string;
		readonly namespace?: string;
		readonly labels?: Readonly<Record<string, string>>;
		readonly annotations?: Readonly<Record<string, string>>;
	};
	readonly [field: string]: unknown;
}

/** What Helm says of every object that it makes, and kustomize does not. */
const helms = [
	"app.kubernetes.io/instance",
	"app.kubernetes.io/managed-by",
	"app.kubernetes.io/version",
	"helm.sh/chart",
	"helm.sh/resource-policy",
];

function documents(text: string): readonly Manifest[] {
	return parseAllDocuments(text, { version: "1.1" })
		.map((document): Manifest => document.toJS())
		.filter((one) => one !== null);
}

function without(
	texts: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
	return Object.fromEntries(
		Object.entries(texts).filter(([name]) => !helms.includes(name)),
	);
}

/** Objects by name, but for what Helm says of itself. */
function byName(list: readonly Manifest[]): ReadonlyMap<string, unknown> {
	return new Map(
		list
			.map((one): [string, unknown] => {
				const { labels, annotations, ...metadata } = one.metadata;
				return [
					`${one.kind} ${metadata.namespace ?? ""}/${metadata.name}`,
					{
						...one,
						metadata: {
							...metadata,
							labels: without(labels),
							annotations: without(annotations),
						},
					},
				];
			})
			.sort(),
	);
}

describe("the Helm chart", function () {
	this.timeout(300_000);
	let helm: string;
	const folder = new TemporaryFolder();

	before(async () => {
		// On a new machine it is built, which takes minutes.
		helm = await ensureHelm();
	});
	after(() => folder[Symbol.dispose]());

	/** Runs Helm with folders of its own. */
	async function runHelm(
		words: readonly string[],
		kubeconfig = "/nowhere",
	): Promise<string> {
		const home = (name: string): string => join(folder.path, name);
		const { stdout } = await run(helm, words, {
			env: {
				PATH: process.env["PATH"],
				HOME: folder.path,
				KUBECONFIG: kubeconfig,
				HELM_CACHE_HOME: home("cache"),
				HELM_CONFIG_HOME: home("config"),
				HELM_DATA_HOME: home("data"),
			},
			maxBuffer: 64 * 1024 * 1024,
		});
		return stdout;
	}

	const template = async (
		...words: readonly string[]
	): Promise<readonly Manifest[]> =>
		documents(
			await runHelm([
				...["template", "lateen", CHART, "--namespace", system],
				...words,
			]),
		);

	it("has the version of the program, as the manifests have", async () => {
		const chart: unknown = parse(
			await readFile(join(CHART, "Chart.yaml"), "utf8"),
		);
		const { version, appVersion } = chart as Readonly<Record<string, string>>;
		const base: unknown = parse(
			await readFile(join(ROOT, "manifests/base/kustomization.yaml"), "utf8"),
		);
		const [image] = recordsIn(base, "images");
		expect([version, appVersion, image?.["newTag"]]).to.deep.equal(
			[1, 2, 3].map(() => programVersion),
		);
	});

	for (const { path, values } of profiles) {
		it(`makes the very objects of ${path}`, async () => {
			const made = await template("--set", "createNamespace=true", ...values);
			const { stdout } = await run(
				(await ensureKubernetes()).kubectl,
				["kustomize", join(ROOT, path)],
				{ maxBuffer: 64 * 1024 * 1024 },
			);
			const wanted = documents(stdout);
			expect(byName(made)).to.deep.equal(byName(wanted));
			expect(made).to.have.length(wanted.length);
		});

		it(`has nothing that Helm advises against, for ${path}`, async () => {
			const said = await runHelm(["lint", "--strict", CHART, ...values]);
			expect(said).to.not.match(/WARNING|ERROR/);
		});
	}

	it("makes the very objects of manifests/monitoring, when they are asked for", async () => {
		const kinds = ["ConfigMap", "PodMonitor", "PrometheusRule"];
		const monitoringOf = async (...words: readonly string[]) =>
			(await template(...words)).filter(({ kind }) => kinds.includes(kind));
		expect(await monitoringOf()).to.deep.equal([]);
		const made = await monitoringOf("--set", "monitoring=true");
		const { stdout } = await run((await ensureKubernetes()).kubectl, [
			...["kustomize", join(ROOT, "manifests/monitoring")],
		]);
		const labels = {
			"app.kubernetes.io/name": "lateen",
			"app.kubernetes.io/part-of": "lateen",
		};
		// By itself the component does not say of the dashboard whose it is.
		const wanted = documents(stdout).map((one) => ({
			...one,
			metadata: {
				...one.metadata,
				labels: { ...one.metadata.labels, ...labels },
			},
		}));
		expect(byName(made)).to.deep.equal(byName(wanted));
		const said = await runHelm([
			...["lint", "--strict", CHART, "--set", "monitoring=true"],
		]);
		expect(said).to.not.match(/WARNING|ERROR/);
	});

	it("makes of values what `lateen install` makes of its flags", async () => {
		const flags = [
			...["--namespace", "mesh", "--output", "json"],
			...["--image", "registry.example:5000/ours"],
			...[
				"--proxy-image",
				`registry.example:5000/proxy@sha256:${"0a".repeat(32)}`,
			],
		];
		const { out } = await runLateen(["install", ...flags]);
		const { items } = JSON.parse(out) as { items: Manifest[] };
		const made = await template(
			...["--namespace", "mesh", "--set", "createNamespace=true"],
			...["--set", "image.repository=registry.example:5000/ours"],
			...["--set", "proxyImage.repository=registry.example:5000/proxy"],
			...["--set", `proxyImage.digest=sha256:${"0a".repeat(32)}`],
		);
		expect(byName(made)).to.deep.equal(byName(items));
	});

	it("puts the other values where they belong", async () => {
		const values = {
			image: { tag: "7", pullPolicy: "Always" },
			imagePullSecrets: [{ name: "registry" }],
			settings: { logLevel: "debug", maxStreams: 20_000_000, holdOffMax: "1s" },
			nodeSelector: { pool: "system" },
			tolerations: [{ key: "system", operator: "Exists" }],
			affinity: { nodeAffinity: {} },
			podLabels: { team: "mesh" },
			podAnnotations: { note: "1" },
			networkPolicy: false,
			crds: { install: false },
		};
		const file = join(folder.path, "values.yaml");
		await writeFile(file, JSON.stringify(values));
		const made = await template("-f", file);
		const kinds = new Set(made.map(({ kind }) => kind));
		expect([...kinds]).to.not.include.members([
			...["NetworkPolicy", "CustomResourceDefinition", "Namespace"],
		]);
		const pod = recordIn(
			recordIn(
				made.find(({ kind }) => kind === "Deployment"),
				"spec",
			),
			"template",
		);
		const { labels, annotations } = recordIn(pod, "metadata");
		expect(labels).to.include({ app: "lateen", team: "mesh" });
		expect(annotations).to.include({ note: "1" });
		const spec = recordIn(pod, "spec");
		const { imagePullSecrets, nodeSelector, tolerations, affinity } = values;
		expect(spec).to.deep.include({
			...{ imagePullSecrets, nodeSelector, tolerations, affinity },
		});
		const [container] = recordsIn(spec, "containers");
		expect(container).to.deep.include({
			image: "lateen:7",
			imagePullPolicy: "Always",
		});
		const args = container?.["args"] as readonly string[];
		expect(args.slice(-3)).to.deep.equal([
			"--hold-off-max=1s",
			"--log-level=debug",
			"--max-streams=20000000",
		]);
	});

	it("has Helm keep CRDs, unless it is told otherwise", async () => {
		const kept = (list: readonly Manifest[]): readonly unknown[] =>
			list
				.filter(({ kind }) => kind === "CustomResourceDefinition")
				.map(
					({ metadata }) => metadata.annotations?.["helm.sh/resource-policy"],
				);
		expect(new Set(kept(await template()))).to.deep.equal(new Set(["keep"]));
		expect(
			new Set(kept(await template("--set", "crds.keep=false"))),
		).to.deep.equal(new Set([undefined]));
	});

	for (const { value, says } of [
		{ value: "replica=3", says: "additional properties 'replica' not allowed" },
		{
			value: "replicas=many",
			says: "at '/replicas': got string, want integer",
		},
		{ value: "replicas=-1", says: "at '/replicas': minimum: got -1, want 0" },
		{ value: "image.tag=a b", says: "at '/image/tag'" },
		{ value: "image.repository=", says: "at '/image/repository'" },
		{ value: "image.digest=12", says: "at '/image/digest'" },
		{ value: "image.pullPolicy=Often", says: "at '/image/pullPolicy'" },
		{ value: "settings.logLevl=debug", says: "'logLevl' not allowed" },
		{ value: "settings.logLevel=loud", says: "at '/settings/logLevel'" },
		{ value: "settings.holdOffMax=5", says: "at '/settings/holdOffMax'" },
		{ value: "settings.source=directory:x", says: "'source' not allowed" },
		{ value: "settings.xdsListen=0.0.0.0:1", says: "'xdsListen' not allowed" },
	])
		it(`refuses ${value}`, async () => {
			const said = await template("--set", value).then(
				() => "It was taken.",
				(error: unknown) => String(error),
			);
			expect(said).to.include(says);
		});

	describe("on a real API server", () => {
		let cluster: OwnCluster;
		const inCluster = (...words: readonly string[]): Promise<string> =>
			runHelm(words, cluster.kubeconfig);
		const apply = (
			verb: string,
			...words: readonly string[]
		): Promise<string> =>
			inCluster(verb, "lateen", CHART, "--namespace", system, ...words);
		const stored = async (): Promise<string> =>
			await kubectl(cluster, [
				...["get", "-A", "-l", "app.kubernetes.io/instance=lateen"],
				"crd,clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts,services,deployments,networkpolicies,poddisruptionbudgets,validatingwebhookconfigurations,mutatingwebhookconfigurations",
				...[
					"-o",
					'jsonpath={range .items[*]}{.kind}{" "}{.metadata.name}{" "}{.metadata.generation}{" "}{.metadata.resourceVersion}{"\\n"}{end}',
				],
			]);
		const bundle = async (): Promise<string> =>
			await kubectl(cluster, [
				...["get", "validatingwebhookconfiguration", "lateen", "-o"],
				"jsonpath={.webhooks[0].clientConfig.caBundle}",
			]);

		before(async () => {
			cluster = await ownCluster({ crds: false });
			await kubectl(cluster, ["create", "namespace", system]);
		});
		after(() => cluster?.[Symbol.asyncDispose]());

		it("is installed in one step, and says what to do next", async () => {
			const said = await apply("install");
			expect(said).to.include(`rollout status deployment/lateen`);
			expect(said).to.include("without a registry");
			expect((await stored()).trim().split("\n")).to.have.lengthOf(
				(await template()).length,
			);
			await kubectl(cluster, ["apply", "-f", "-"], JSON.stringify(rule));
			const { out } = await runLateen(["install", "--dry-run=server"], {
				environment: { KUBECONFIG: cluster.kubeconfig },
			});
			// Pod Security's labels, which Helm cannot say, and nothing of the rest.
			expect(out).to.match(/Namespace lateen-system +change/);
			expect(out).to.not.include("Deployment");
		});

		for (const mode of ["true", "false"])
			it(`changes nothing by an upgrade to the same, and takes no authority from webhooks (--server-side=${mode})`, async () => {
				await using replica = await startReplica(cluster, {
					...{ namespace: system, registers: false },
				});
				expect(replica.leads.value).to.equal(true);
				await eventually(async () => expect(await bundle()).to.not.equal(""));
				const trusted = await bundle();
				const upgrade = ["upgrade", `--server-side=${mode}`] as const;
				// The first time in a new mode it takes the fields over.
				await apply(...upgrade);
				const before = await stored();
				await apply(...upgrade);
				expect(await stored()).to.equal(before);
				expect(await bundle()).to.equal(trusted);
			});

		it("upgrades CRDs with objects in place, and goes back", async () => {
			const newer = join(folder.path, "newer");
			await cp(CHART, newer, { recursive: true });
			const crd = join(newer, "templates/crd-routerules.yaml");
			const text = await readFile(crd, "utf8");
			expect(text).to.include("shortNames: [rr]");
			await writeFile(
				crd,
				text.replace("shortNames: [rr]", "shortNames: [rr, rrr]"),
			);
			const names = (): Promise<string> =>
				kubectl(cluster, [
					...["get", "crd", "routerules.lateen.dev", "-o"],
					"jsonpath={.spec.names.shortNames}",
				]);
			const kept = (): Promise<string> =>
				kubectl(cluster, [
					"get",
					"routerule",
					"kept",
					"-o",
					"jsonpath={.metadata.uid}",
				]);
			const before = await kept();
			await inCluster("upgrade", "lateen", newer, "-n", system);
			expect(await names()).to.equal('["rr","rrr"]');
			expect(await kept()).to.equal(before);
			await inCluster("rollback", "lateen", "-n", system);
			expect(await names()).to.equal('["rr"]');
			expect(await kept()).to.equal(before);
		});

		it("takes over what kubectl has applied, when it is told to", async () => {
			await using another = await ownCluster({ crds: false });
			await kubectl(another, [
				...["apply", "--server-side", "-k", join(ROOT, "manifests/base")],
			]);
			const install = [
				...["install", "lateen", CHART, "-n", system],
				...["--take-ownership", "--force-conflicts"],
			];
			await runHelm(install, another.kubeconfig);
			const owner = await kubectl(another, [
				...["-n", system, "get", "deployment", "lateen", "-o"],
				"jsonpath={.metadata.annotations.meta\\.helm\\.sh/release-name}",
			]);
			expect(owner).to.equal("lateen");
		});

		it("leaves CRDs and rules when it is removed, and `lateen uninstall` takes away the rest", async () => {
			const early = await runLateen(["uninstall", "--yes"], {
				environment: { KUBECONFIG: cluster.kubeconfig },
			});
			expect(early.code).to.equal(1);
			expect(early.err).to.include("helm uninstall lateen");
			await inCluster("uninstall", "lateen", "-n", system);
			expect(await kubectl(cluster, ["get", "routerules"])).to.include("kept");
			expect(
				(await stored())
					.trim()
					.split("\n")
					.map((line) => line.split(" ")[0]),
			).to.deep.equal(
				Array.from({ length: 5 }, () => "CustomResourceDefinition"),
			);
			const ran = await runLateen(["uninstall", "--yes", "--crds"], {
				environment: { KUBECONFIG: cluster.kubeconfig },
				input: "yes\n",
			});
			expect(ran.code, ran.err).to.equal(0);
			// Whoever made the namespace says when it goes.
			expect(ran.err).to.include(`Namespace ${system} stays`);
			await eventually(async () => expect(await stored()).to.equal(""), 60_000);
			const left = await kubectl(cluster, [
				...["-n", system, "get", "configmaps,secrets,leases", "-o", "name"],
			]);
			expect(left).to.not.include("lateen");
		});
	});
});

const rule = {
	apiVersion: "lateen.dev/v1alpha1",
	kind: "RouteRule",
	metadata: { name: "kept", namespace: "default" },
	spec: { destination: { name: "reviews" } },
};
