import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { parseAllDocuments } from "yaml";
import { recordIn, recordsIn } from "../../src/injector/json.ts";
import { programVersion } from "../../src/settings/program-version.ts";
import { type Ran, runLateen } from "../cli/run-lateen.ts";
import { ClusterReplica } from "../testkit/cluster-replica.ts";
import { eventually } from "../testkit/eventually.ts";
import {
	ApiClient,
	kubectl,
	type OwnCluster,
	ownCluster,
} from "../testkit/kube-cluster.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";
import { type ServingReplica, startReplica } from "./serving-replica.ts";

const ROOT = join(import.meta.dirname, "../..");
const system = "lateen-system";

/** Folder of each profile. */
const profiles = {
	default: "manifests/base",
	"one-replica": "manifests/overlays/one-replica",
	ha: "manifests/overlays/ha",
};

interface Manifest {
	readonly kind: string;
	readonly metadata: { readonly name: string; readonly namespace?: string };
	readonly [field: string]: unknown;
}

interface Finding {
	readonly about: string;
	readonly verdict: string;
	readonly message: string;
}

const rule = JSON.stringify({
	apiVersion: "lateen.dev/v1alpha1",
	kind: "RouteRule",
	metadata: { name: "kept", namespace: "default" },
	spec: { destination: { name: "reviews" } },
});

function documents(text: string): readonly Manifest[] {
	return parseAllDocuments(text, { version: "1.1" }).map(
		(document): Manifest => document.toJS(),
	);
}

const nameOf = ({ kind, metadata }: Manifest): string =>
	`${kind} ${metadata.namespace ?? ""}/${metadata.name}`;

function byName(list: readonly Manifest[]): ReadonlyMap<string, Manifest> {
	return new Map(
		list.map((one): [string, Manifest] => [nameOf(one), one]).sort(),
	);
}

describe("install, check and uninstall on a real API server", function () {
	this.timeout(120_000);
	let cluster: OwnCluster;
	let api: ApiClient;
	const folder = new TemporaryFolder();

	before(async () => {
		cluster = await ownCluster({ crds: false });
		api = await ApiClient.of(cluster);
		// There are no controllers that would make it.
		await kubectl(cluster, ["create", "serviceaccount", "default"]);
	});
	after(async () => {
		api?.[Symbol.dispose]();
		await cluster?.[Symbol.asyncDispose]();
		folder[Symbol.dispose]();
	});

	const lateen = (words: readonly string[], input = ""): Promise<Ran> =>
		runLateen(words, {
			input,
			environment: { KUBECONFIG: cluster.kubeconfig },
		});

	async function succeeded(...words: readonly string[]): Promise<string> {
		const { code, out, err } = await lateen(words);
		expect(code, `${out}${err}`).to.equal(0);
		return out;
	}

	/** What `lateen check` finds that is not good, with its exit code. */
	async function troubles(...words: readonly string[]): Promise<{
		readonly code: number;
		readonly bad: readonly Finding[];
	}> {
		const ran = await lateen(["check", "-o", "json", ...words]);
		expect(ran.err).to.equal("");
		const { findings } = JSON.parse(ran.out) as { findings: Finding[] };
		expect(findings).to.not.deep.equal([]);
		return {
			code: ran.code,
			bad: findings.filter(({ verdict }) => verdict !== "ok"),
		};
	}

	/** Every object of the cluster that has to do with us, by kind and name, but for events. */
	async function ours(): Promise<readonly string[]> {
		const kinds = await kubectl(cluster, [
			...["api-resources", "--verbs=list", "-o", "name"],
		]);
		const text = await kubectl(cluster, [
			"get",
			kinds
				.trim()
				.split("\n")
				.filter((kind) => !/^(events|apiservices)/.test(kind))
				.join(),
			...["-A", "-o", "json"],
		]);
		const { items } = JSON.parse(text) as { items: Manifest[] };
		return items
			.map(nameOf)
			.filter((name) => name.includes("lateen"))
			.sort();
	}

	for (const [profile, path] of Object.entries(profiles))
		it(`prints the very objects of kustomize (${profile})`, async () => {
			const printed = documents(
				await succeeded("install", "--profile", profile),
			);
			const made = documents(
				await kubectl(cluster, ["kustomize", join(ROOT, path)]),
			);
			expect(byName(printed)).to.deep.equal(byName(made));
			expect(made).to.have.length(printed.length);
		});

	it("prints the same from the one file of the npm package", async () => {
		const run = promisify(execFile);
		const dist = join(folder.path, "dist");
		await run(process.execPath, [join(ROOT, "hack/build.ts"), dist]);
		const words = ["install", "--profile", "ha"];
		const { stdout } = await run(
			process.execPath,
			[join(dist, "lateen.js"), ...words],
			{ maxBuffer: 64 * 1024 * 1024 },
		);
		expect(stdout).to.equal(await succeeded(...words));
	});

	it("puts names of images and of the namespace where they belong, and nowhere leaves the old one", async () => {
		const text = await succeeded(
			...["install", "--namespace", "mesh", "--output", "json"],
			...["--image", "registry.example:5000/ours"],
			...["--proxy-image", "registry.example:5000/proxy@sha256:12"],
		);
		const { items } = JSON.parse(text) as { items: Manifest[] };
		// CRDs speak of it in their descriptions.
		const others = items.filter(
			({ kind }) => kind !== "CustomResourceDefinition",
		);
		expect(JSON.stringify(others)).to.not.include(system);
		const [deployment] = items.filter(({ kind }) => kind === "Deployment");
		const template = recordIn(recordIn(deployment, "spec"), "template");
		const [container] = recordsIn(recordIn(template, "spec"), "containers");
		expect(container?.["image"]).to.equal(
			`registry.example:5000/ours:${programVersion}`,
		);
		expect(recordsIn(container, "env").at(-1)).to.deep.equal({
			name: "LATEEN_PROXY_IMAGE",
			value: "registry.example:5000/proxy@sha256:12",
		});
		expect(deployment?.metadata.namespace).to.equal("mesh");
	});

	it("finds nothing in the way on a new cluster, and would create everything", async () => {
		expect(await troubles("--pre")).to.deep.equal({ code: 0, bad: [] });
		const ran = await lateen(["install", "--dry-run=server", "-o", "json"]);
		expect(ran.code, ran.err).to.equal(0);
		const { objects } = JSON.parse(ran.out) as {
			objects: readonly { readonly would: string }[];
		};
		expect(new Set(objects.map(({ would }) => would))).to.deep.equal(
			new Set(["create"]),
		);
		expect(await ours()).to.deep.equal([]);
	});

	it("says what is missing where nothing is installed", async () => {
		const { code, bad } = await troubles();
		expect(code).to.equal(1);
		expect(
			bad
				.filter(({ verdict }) => verdict === "problem")
				.map((one) => one.about),
		).to.include.members(["CRDs", "Deployment", "leader", "webhooks"]);
	});

	it("finds who may not install, and namespaces that refuse the capture", async () => {
		await kubectl(cluster, ["create", "serviceaccount", "jane"]);
		const token = await kubectl(cluster, ["create", "token", "jane"]);
		const config = await kubectl(cluster, ["config", "view", "--raw"]);
		const kubeconfig = join(folder.path, "jane");
		await writeFile(
			kubeconfig,
			config
				.replace(/^users:[\s\S]*/m, "")
				.concat(`users: [{name: jane, user: {token: ${token.trim()}}}]\n`),
		);
		const context = config.match(/current-context: (\S+)/)?.[1] ?? "";
		await kubectl({ ...cluster, kubeconfig }, [
			...["config", "set-context", context, "--user=jane"],
		]);
		await kubectl(cluster, ["create", "namespace", "strict"]);
		await kubectl(cluster, [
			...["label", "namespace", "strict", "lateen.dev/inject=true"],
			"pod-security.kubernetes.io/enforce=baseline",
		]);
		const { code, bad } = await troubles("--pre");
		expect([code, bad.map(({ about }) => about)]).to.deep.equal([
			...[1, ["Pod Security"]],
		]);
		expect(bad[0]?.message).to.include("strict (baseline)");
		// Nobody ends namespaces here, and one that only goes would be told of again.
		await kubectl(cluster, [
			"label",
			"namespace",
			"strict",
			"lateen.dev/inject-",
		]);
		const jane = await lateen([
			...["check", "--pre", "--kubeconfig", kubeconfig, "-o", "json"],
		]);
		expect(jane.code).to.equal(1);
		const { findings } = JSON.parse(jane.out) as { findings: Finding[] };
		const found = new Map(findings.map((one) => [one.about, one]));
		expect(found.get("permissions")?.verdict).to.equal("problem");
		expect(found.get("permissions")?.message).to.include("create namespaces");
		expect(found.get("CRDs")?.verdict).to.equal("unknown");
	});

	it("is applied by kubectl, and changes nothing the second time", async () => {
		const printed = await succeeded("install");
		const apply = ["apply", "--server-side", "-f", "-"];
		await kubectl(cluster, apply, printed);
		const versions = async (): Promise<string> =>
			await kubectl(
				cluster,
				[
					...["get", "-f", "-", "-o"],
					'jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}',
				],
				printed,
			);
		// The API server writes the conditions of CRDs a moment later.
		await kubectl(cluster, [
			...["wait", "--for=condition=Established", "crd", "--all"],
		]);
		const before = await versions();
		await kubectl(cluster, apply, printed);
		expect(await versions()).to.equal(before);
		const again = await lateen(["install", "--dry-run=server"]);
		expect([again.code, again.out]).to.deep.equal([0, ""]);
		const larger = await lateen([
			...["install", "--dry-run=server", "--profile", "ha"],
		]);
		expect(larger.code, larger.err).to.equal(0);
		expect(larger.out).to.match(
			/Deployment lateen-system\/lateen +change +spec.replicas: 3/,
		);
		expect(await versions()).to.equal(before);
		// A second installation would fight with the first.
		const { code, bad } = await troubles("--pre", "--namespace", "other");
		expect([code, bad.map(({ about }) => about)]).to.deep.equal([
			...[1, ["namespace"]],
		]);
		expect(await troubles("--pre")).to.deep.equal({ code: 0, bad: [] });
	});

	describe("with a control plane", () => {
		let replica: ServingReplica;

		const lease = (ageMs: number): Promise<string> =>
			kubectl(
				cluster,
				["apply", "--server-side", "--force-conflicts", "-f", "-"],
				JSON.stringify({
					apiVersion: "coordination.k8s.io/v1",
					kind: "Lease",
					metadata: { name: "lateen-leader", namespace: system },
					spec: {
						holderIdentity: "lateen-0",
						leaseDurationSeconds: 600,
						renewTime: new Date(Date.now() - ageMs)
							.toISOString()
							.replace("Z", "000Z"),
					},
				}),
			);

		const available = (replicas: number): Promise<string> =>
			kubectl(cluster, [
				...["-n", system, "patch", "deployment", "lateen"],
				...["--subresource=status", "--type=merge", "-p"],
				JSON.stringify({
					status: {
						observedGeneration: 1,
						replicas: 2,
						updatedReplicas: 2,
						readyReplicas: replicas,
						availableReplicas: replicas,
					},
				}),
			]);

		before(async () => {
			// Here the API server reaches the webhooks by URL, as it has no network of Services.
			for (const kind of ["mutating", "validating"])
				await kubectl(cluster, [
					...["delete", `${kind}webhookconfiguration`, "lateen"],
				]);
			replica = await startReplica(cluster, { namespace: system });
			await available(2);
			await lease(0);
			await eventually(async () =>
				expect(await troubles()).to.deep.equal({ code: 0, bad: [] }),
			);
		});
		after(() => replica?.[Symbol.asyncDispose]());

		it("says that all is well, in a table too", async () => {
			const out = await succeeded("check");
			expect(out).to.match(/^webhooks +ok +The API server trusts them/m);
			expect(out).to.match(/^leader +ok +lateen-0 leads/m);
		});

		it("finds replicas that are not there, and a leader that is silent", async () => {
			await available(1);
			const some = await troubles();
			expect([some.code, some.bad.map((one) => one.verdict)]).to.deep.equal([
				...[0, ["warning"]],
			]);
			await available(0);
			await lease(700_000);
			const none = await troubles();
			expect([none.code, none.bad.map((one) => one.about)]).to.deep.equal([
				...[1, ["Deployment", "leader"]],
			]);
			await available(2);
			await lease(0);
		});

		it("finds a CRD of another version", async () => {
			const shortNames = (...value: readonly string[]): Promise<string> =>
				kubectl(cluster, [
					...["patch", "crd", "routerules.lateen.dev", "--type=json", "-p"],
					JSON.stringify([
						{ op: "replace", path: "/spec/names/shortNames", value },
					]),
				]);
			await shortNames("older");
			const { code, bad } = await troubles();
			expect([code, bad.map((one) => one.about)]).to.deep.equal([
				...[0, ["CRDs"]],
			]);
			expect(bad[0]?.message).to.include("routerules.lateen.dev");
			await shortNames("rr");
		});

		it("finds pods without a proxy, with one of another version, and with one that does not work", async () => {
			const inShop = (...words: readonly string[]): Promise<string> =>
				kubectl(cluster, ["-n", "shop", ...words]);
			await kubectl(cluster, ["create", "namespace", "shop"]);
			await inShop("create", "serviceaccount", "default");
			const injected = { "lateen.dev/injected": programVersion };
			for (const [name, labels, annotations = {}] of [
				["forgotten", {}],
				["unwilling", { "lateen.dev/inject": "false" }],
				["older", { "lateen.dev/injected": "0.0.9" }],
				["broken", injected],
				["host", {}, { "lateen.dev/not-injected": "HostNetwork: It is." }],
			] as const)
				await kubectl(
					cluster,
					["-n", "shop", "apply", "-f", "-"],
					JSON.stringify({
						apiVersion: "v1",
						kind: "Pod",
						metadata: { name, labels, annotations },
						spec: {
							serviceAccountName: "default",
							containers: [{ name: "web", image: "web" }],
						},
					}),
				);
			await kubectl(cluster, [
				...["label", "namespace", "shop", "lateen.dev/inject=true"],
			]);
			await inShop(
				...["patch", "pod", "broken", "--subresource=status", "--type=merge"],
				"-p",
				JSON.stringify({
					status: {
						initContainerStatuses: [
							{
								...{
									name: "lateen-proxy",
									image: "nowhere/proxy",
									imageID: "",
								},
								...{ ready: false, restartCount: 0 },
								state: { waiting: { reason: "ImagePullBackOff" } },
							},
						],
					},
				}),
			);
			const { code, bad } = await troubles();
			expect(code).to.equal(1);
			const lines = bad.map(({ verdict, message }) => `${verdict}: ${message}`);
			for (const [index, line] of [
				/^warning: Pods that ask for a proxy.*: shop\/forgotten[.]/,
				/^warning: Pods .*: shop\/host[.] HostNetwork: It is[.]$/,
				/^problem: There is no ConfigMap lateen-ca in shop,/,
				/^problem: Pods .* nowhere\/proxy of their lateen-proxy \(ImagePullBackOff\): shop\/broken[.]/,
				/^warning: Pods .* 0[.]0[.]9: shop\/older[.]/,
			].entries())
				expect(lines[index]).to.match(line);
			expect(lines).to.have.length(5);
			// What is warned of alone is no failure.
			await inShop("delete", "pod", "broken", "--force", "--grace-period=0");
			await inShop("create", "configmap", "lateen-ca");
			expect((await troubles()).code).to.equal(0);
			await inShop("delete", "pod", "forgotten");
		});

		it("finds webhooks that are not trusted, and such that do not answer", async () => {
			replica.leads.set(false);
			await kubectl(cluster, [
				...["patch", "validatingwebhookconfiguration", "lateen-url"],
				...["--type=json", "-p"],
				'[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]',
			]);
			const distrusted = await troubles();
			expect(distrusted.code).to.equal(1);
			expect(distrusted.bad.map(({ message }) => message).join()).to.include(
				"ValidatingWebhookConfiguration lateen-url does not have the authority",
			);
			replica.leads.set(true);
			await eventually(async () =>
				expect((await troubles()).bad.map((one) => one.about)).to.not.include(
					"webhooks",
				),
			);
			// The manifests' own lead to a Service that nobody is behind.
			await kubectl(
				cluster,
				["apply", "--server-side", "-f", "-"],
				await succeeded("install"),
			);
			await replica[Symbol.asyncDispose]();
			const { code, bad } = await troubles();
			expect(code).to.equal(1);
			expect(bad.map(({ about }) => about)).to.include("webhooks");
		});
	});

	describe("uninstall", () => {
		before(async () => {
			await kubectl(
				cluster,
				["apply", "--server-side", "-f", "-"],
				await succeeded("install"),
			);
			await kubectl(cluster, ["apply", "-f", "-"], rule);
			// The one of the tests above lasts longer than this one.
			await kubectl(cluster, [
				...["-n", system, "delete", "lease", "lateen-leader"],
			]);
			// What a control plane leaves behind: Leases, certificate, copies, last good forms.
			const replica = await ClusterReplica.start({
				...{ cluster, namespace: system, name: "lateen-0" },
			});
			try {
				await eventually(async () =>
					expect(await ours()).to.include.members([
						"ConfigMap shop/lateen-ca",
						"ConfigMap lateen-system/lateen-ca",
						"Secret lateen-system/lateen-serving",
					]),
				);
				await eventually(async () => {
					const out = await kubectl(cluster, ["get", "lastgoods"]);
					expect(out).to.include("kept");
				});
			} finally {
				await replica[Symbol.asyncDispose]();
			}
		});

		it("prints what would go, and lets it be", async () => {
			const before = await ours();
			const { code, out, err } = await lateen(["uninstall"]);
			expect(code).to.equal(0);
			expect(out).to.include("would delete Deployment lateen-system/lateen\n");
			expect(out).to.include("would delete ConfigMap shop/lateen-ca\n");
			expect(out).to.match(/^would delete LastGood default\/\S*kept$/m);
			expect(out).to.not.include("CustomResourceDefinition");
			expect(out.split("\n")[0]).to.include("WebhookConfiguration");
			expect(err).to.include("The CRDs stay, with 1 RouteRule");
			expect(err).to.include("Pods that have a proxy (1) keep it");
			expect(await ours()).to.deep.equal(before);
		});

		it("does nothing in a namespace that has no installation while another has", async () => {
			const before = await ours();
			const ran = await lateen(["uninstall", "--yes", "-n", "other"]);
			expect(ran.code).to.equal(1);
			expect(ran.err).to.include(`installed in the namespace ${system}`);
			expect(await ours()).to.deep.equal(before);
		});

		it("does nothing when somebody does not want to lose rules", async () => {
			const before = await ours();
			for (const answer of ["", "no\n"]) {
				const ran = await lateen(["uninstall", "--yes", "--crds"], answer);
				expect(ran.code).to.equal(1);
				expect(ran.err).to.include("With the CRDs go 1 RouteRule, for good");
			}
			expect(await ours()).to.deep.equal(before);
		});

		it("takes away all but CRDs and rules, and at once", async () => {
			const startMs = performance.now();
			await succeeded("uninstall", "--yes");
			expect(performance.now() - startMs).to.be.below(30_000);
			const left = await ours();
			// Without controllers a namespace cannot end.
			expect(
				left.filter((name) => !name.startsWith("CustomResource")),
			).to.deep.equal([`Namespace /${system}`]);
			const { body } = await api.ask("GET", `/api/v1/namespaces/${system}`);
			expect(recordIn(body, "metadata")).to.have.property("deletionTimestamp");
			expect(await kubectl(cluster, ["get", "routerules"])).to.include("kept");
		});

		it("takes away CRDs and rules, too, when somebody says yes, and then finds nothing", async () => {
			const ran = await lateen(["uninstall", "--yes", "--crds"], "yes\n");
			expect(ran.code, ran.err).to.equal(0);
			await eventually(async () =>
				expect(await ours()).to.deep.equal([`Namespace /${system}`]),
			);
			const again = await lateen(["uninstall"]);
			expect([again.code, again.out]).to.deep.equal([
				...[0, `would delete Namespace ${system}\n`],
			]);
		});
	});
});
