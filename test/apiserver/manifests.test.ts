import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { parseAllDocuments } from "yaml";
import { injection } from "../../src/reconcilers/injection-registration.ts";
import { wholeWebhook } from "../../src/reconcilers/webhook-registration.ts";
import { readSettings } from "../../src/settings/read-settings.ts";
import { serveSchema } from "../../src/settings/schema.ts";
import { eventually } from "../testkit/eventually.ts";
import {
	ApiClient,
	kubectl,
	type OwnCluster,
	ownCluster,
} from "../testkit/kube-cluster.ts";
import { startReplica } from "./serving-replica.ts";

const ROOT = join(import.meta.dirname, "../..");
const BASE = join(ROOT, "manifests/base");
const system = "lateen-system";

interface Manifest {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: { readonly name: string; readonly namespace?: string };
	readonly [field: string]: unknown;
}

/** A shuffle that is the same in every run. */
function shuffled<T>(list: readonly T[], seed: number): readonly T[] {
	let state = seed;
	return list
		.map((item) => {
			state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
			return { item, at: state >>> 8 };
		})
		.sort((a, b) => a.at - b.at)
		.map(({ item }) => item);
}

describe("the manifests on a real API server", function () {
	this.timeout(120_000);
	let cluster: OwnCluster;
	let api: ApiClient;
	let manifests: readonly Manifest[];

	before(async () => {
		cluster = await ownCluster({ crds: false });
		api = await ApiClient.of(cluster);
		const text = await kubectl(cluster, ["kustomize", BASE]);
		manifests = parseAllDocuments(text).map(
			(document): Manifest => document.toJS(),
		);
	});
	after(async () => {
		api?.[Symbol.dispose]();
		await cluster?.[Symbol.asyncDispose]();
	});

	/** All objects as they are stored, by what names them, with their resource version. */
	async function stored(): Promise<ReadonlyMap<string, string>> {
		const text = await kubectl(
			cluster,
			["get", "-f", "-", "-o", "json", "--ignore-not-found"],
			JSON.stringify({ apiVersion: "v1", kind: "List", items: manifests }),
		);
		if (text.trim() === "") return new Map();
		const { items } = JSON.parse(text) as {
			items: (Manifest & { metadata: { resourceVersion: string } })[];
		};
		return new Map(
			items.map(({ kind, metadata }) => [
				`${kind} ${metadata.name}`,
				metadata.resourceVersion,
			]),
		);
	}

	function manifestOf(kind: string): Manifest {
		const found = manifests.find((one) => one.kind === kind);
		if (found === undefined) throw new Error(`there is no ${kind}`);
		return found;
	}

	const nameOf = ({ kind, metadata }: Manifest): string =>
		`${kind} ${metadata.name}`;

	it("hold every CRD of the repository", () => {
		const files = readdirSync(join(ROOT, "crds")).filter((name) =>
			name.endsWith(".yaml"),
		);
		expect(
			manifests.filter(({ kind }) => kind === "CustomResourceDefinition"),
		).to.have.length(files.length);
	});

	it("converge in whatever order they are applied", async () => {
		expect(await roundsFor(cluster, 1)).to.be.at.most(2);
		expect([...(await stored()).keys()].sort()).to.deep.equal(
			manifests.map(nameOf).sort(),
		);
		await using another = await ownCluster({ crds: false });
		expect(await roundsFor(another, 2)).to.be.at.most(2);
	});

	/** How often everything has to be applied until nothing is refused. Only what lies in the namespace has to wait for it. */
	async function roundsFor(target: OwnCluster, seed: number): Promise<number> {
		let left = shuffled(manifests, seed);
		for (let rounds = 1; ; rounds += 1) {
			const refused: Manifest[] = [];
			for (const manifest of left) {
				const apply = ["apply", "--server-side", "-f", "-"];
				await kubectl(target, apply, JSON.stringify(manifest)).catch(() =>
					refused.push(manifest),
				);
			}
			if (refused.length === 0) return rounds;
			expect(refused.length, refused.map(nameOf).join()).to.be.below(
				left.length,
			);
			left = refused;
		}
	}

	for (const mode of ["--server-side", "--server-side=false"])
		it(`change nothing when they are applied again (${mode})`, async () => {
			const apply = ["apply", mode, "-k", BASE];
			// The first time in a new mode it takes the fields over.
			await kubectl(
				cluster,
				mode === "--server-side" ? [...apply, "--force-conflicts"] : apply,
			);
			const before = await stored();
			await kubectl(cluster, apply);
			expect(await stored()).to.deep.equal(before);
		});

	it("let the Deployment run under Pod Security's strictest level, without a warning", async () => {
		const deployment = manifestOf("Deployment");
		const { template } = deployment["spec"] as {
			template: { metadata: object; spec: object };
		};
		const path = `/api/v1/namespaces/${system}/pods?dryRun=All&fieldValidation=Strict`;
		const pod = {
			apiVersion: "v1",
			kind: "Pod",
			...template,
			metadata: { ...template.metadata, name: "one" },
		};
		const answer = await api.ask("POST", path, pod);
		expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
		expect(answer.warnings).to.deep.equal([]);
		// And the level is really in force.
		const loose = { ...template.spec, securityContext: {} };
		const refused = await api.ask("POST", path, { ...pod, spec: loose });
		expect(refused.status).to.equal(403);
		expect(JSON.stringify(refused.body)).to.include("violates PodSecurity");
		const apps = `/apis/apps/v1/namespaces/${system}/deployments?dryRun=All&fieldValidation=Strict`;
		const again = await api.ask("POST", apps, {
			...deployment,
			metadata: { name: "another", namespace: system },
		});
		expect(again.status).to.equal(201);
		expect(again.warnings).to.deep.equal([]);
	});

	it("start the program with settings that it has, and open the ports that it listens on", () => {
		const { template } = manifestOf("Deployment")["spec"] as {
			template: {
				spec: {
					containers: [
						{
							args: readonly string[];
							env: readonly { name: string }[];
							ports: readonly { name: string; containerPort: number }[];
						},
					];
				};
			};
		};
		const [{ args, env, ports }] = template.spec.containers;
		const [command, ...flags] = args;
		expect(command).to.equal("serve");
		const named = flags.map((flag): [string, string[]] => {
			const [, name = "", text = ""] = /^--([a-z-]+)=(.*)$/.exec(flag) ?? [];
			return [
				name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
				[text],
			];
		});
		const read = readSettings(serveSchema, {
			flags: new Map(named),
			environment: Object.fromEntries(env.map(({ name }) => [name, "some"])),
		});
		if (!read.ok) throw new Error(read.problems.join());
		const { settings } = read;
		expect(settings.source).to.equal("kubernetes");
		expect([settings.namespace, settings.podName]).to.deep.equal([
			"some",
			"some",
		]);
		const portOf = (name: string): string =>
			`0.0.0.0:${ports.find((port) => port.name === name)?.containerPort}`;
		expect(settings.xdsListen).to.equal(portOf("grpc-xds"));
		expect(settings.webhookListen).to.equal(portOf("https-webhook"));
		expect(settings.healthListen).to.equal(portOf("http-health"));
	});

	it("register the webhook as the control plane does by URL", () => {
		const registered = manifestOf("ValidatingWebhookConfiguration");
		const [webhook] = registered["webhooks"] as [
			{ readonly clientConfig: unknown },
		];
		const { clientConfig, ...rest } = webhook;
		expect(rest).to.deep.equal(wholeWebhook);
		expect(clientConfig).to.deep.equal({
			service: {
				name: "lateen",
				namespace: system,
				path: "/validate",
				port: 443,
			},
		});
	});

	it("register the injection as the control plane does by URL, but that a pod without an answer is not made", () => {
		const { webhooks } = manifestOf(
			"MutatingWebhookConfiguration",
		) as Manifest & {
			readonly webhooks: readonly { readonly clientConfig: unknown }[];
		};
		expect(webhooks.map(({ clientConfig: _, ...rest }) => rest)).to.deep.equal(
			injection.webhooks,
		);
		for (const { clientConfig } of webhooks)
			expect(clientConfig).to.deep.equal({
				service: {
					name: "lateen",
					namespace: system,
					path: "/mutate",
					port: 443,
				},
			});
	});

	it("leave to the leader whom the API server trusts, and everything else to their owner", async () => {
		const path =
			"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/lateen";
		const read = async () =>
			(await api.ask("GET", path)).body as {
				readonly metadata: {
					readonly resourceVersion: string;
					readonly managedFields: readonly {
						readonly manager: string;
						readonly fieldsV1: unknown;
					}[];
				};
				readonly webhooks: [
					{ readonly clientConfig: { readonly caBundle?: string } },
				];
			};
		await using replica = await startReplica(cluster, {
			namespace: system,
			registers: false,
		});
		const trusted = async (): Promise<string> =>
			(await read()).webhooks[0].clientConfig.caBundle ?? "";
		await eventually(async () => expect(await trusted()).to.not.equal(""));
		const { managedFields } = (await read()).metadata;
		const ours = managedFields.find(
			({ manager }) => manager === "lateen-webhook",
		);
		expect(ours?.fieldsV1).to.deep.equal({
			"f:webhooks": {
				'k:{"name":"validate.lateen.dev"}': {
					".": {},
					"f:clientConfig": { "f:caBundle": {} },
					"f:name": {},
				},
			},
		});
		const before = await trusted();
		for (const mode of ["--server-side", "--server-side=false"])
			await kubectl(cluster, ["apply", mode, "-k", BASE]);
		expect(await trusted()).to.equal(before);
		await api.ask(
			"PATCH",
			path,
			[{ op: "remove", path: "/webhooks/0/clientConfig/caBundle" }],
			{ "content-type": "application/json-patch+json" },
		);
		await eventually(async () => expect(await trusted()).to.equal(before));
		expect(replica.material.value).to.not.equal(undefined);
	});

	it("let rules be written although nobody answers at the Service", async () => {
		const startMs = performance.now();
		await kubectl(
			cluster,
			["apply", "-f", "-"],
			JSON.stringify({
				apiVersion: "lateen.dev/v1alpha1",
				kind: "RouteRule",
				metadata: { name: "lonely", namespace: "default" },
				spec: { destination: { name: "reviews" } },
			}),
		);
		expect(performance.now() - startMs).to.be.below(10_000);
	});

	it("go away without waiting for anybody, with the rules that are there", async () => {
		await kubectl(cluster, [...["delete", "-k", BASE, "--wait=false"]]);
		// Without controllers a namespace cannot end; what it must not do is wait for us.
		await eventually(async () => {
			const left = [...(await stored()).keys()];
			expect(left).to.deep.equal([`Namespace ${system}`]);
			// The API server's own work on a CRD that goes is tried again after longer and longer waits.
		}, 100_000);
		const { body } = await api.ask("GET", `/api/v1/namespaces/${system}`);
		const { metadata } = body as { metadata: { finalizers?: string[] } };
		expect(metadata.finalizers ?? []).to.deep.equal([]);
	}).timeout(150_000);
});
