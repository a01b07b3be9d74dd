/*
 * The control plane as the ServiceAccount of the manifests, doing everything it ever does, and then its audit log beside its roles:
 * whatever it asked for must be allowed by a rule, and whatever a rule allows must have been asked for.
 */
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { parse, parseAllDocuments, stringify } from "yaml";
import { startCluster } from "../../src/app/cluster.ts";
import type { RunningServer } from "../../src/app/lifecycle/running-server.ts";
import { loadKubeConfig } from "../../src/kube/kube-config.ts";
import { ObjectClient } from "../../src/kube/object-client.ts";
import { openConnection } from "../../src/kube/open-connection.ts";
import { deleteLeftovers } from "../../src/kube/replica-reports.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { printAddress } from "../../src/net/address.ts";
import { LogControl } from "../../src/observability/log-control.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { AdsConnection } from "../testkit/ads-client.ts";
import { eventually } from "../testkit/eventually.ts";
import {
	kubectl,
	type OwnCluster,
	ownCluster,
} from "../testkit/kube-cluster.ts";
import { serveSettings } from "../testkit/serve-settings.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const BASE = join(import.meta.dirname, "../../manifests/base");
const system = "lateen-system";
const account = `system:serviceaccount:${system}:lateen`;

/** One thing that somebody may do: `watch secrets in lateen-system named lateen-serving`. */
interface Permission {
	readonly verb: string;
	/** `group/resource` or `group/resource/subresource`; the core group is empty. */
	readonly resource: string;
	/** Empty for all namespaces. */
	readonly namespace: string;
	/** Empty for all names. */
	readonly name: string;
}

/** What is in a role for the case that something goes wrong which this test does not bring about. */
const spares: ReadonlySet<string> = new Set([
	// After the answer to the creation of an Event was lost.
	"get events.k8s.io/events",
]);

interface Rule {
	readonly apiGroups: readonly string[];
	readonly resources: readonly string[];
	readonly verbs: readonly string[];
	readonly resourceNames?: readonly string[];
}

/** Everything that the roles of the manifests allow. */
function permissions(): readonly Permission[] {
	return ["cluster-role.yaml", "role.yaml"].flatMap((file) =>
		parseAllDocuments(readFileSync(join(BASE, file), "utf8"))
			.map(
				(document) =>
					document.toJS() as {
						readonly metadata: { readonly namespace?: string };
						readonly rules?: readonly Rule[];
					},
			)
			.flatMap(({ metadata: { namespace = "" }, rules = [] }) =>
				rules.flatMap((rule) =>
					rule.apiGroups.flatMap((group) =>
						rule.resources.flatMap((resource) =>
							rule.verbs.flatMap((verb) =>
								(rule.resourceNames ?? [""]).map((name) => ({
									verb,
									resource: `${group}/${resource}`,
									namespace,
									name,
								})),
							),
						),
					),
				),
			),
	);
}

const print = ({ verb, resource, namespace, name }: Permission): string =>
	[
		`${verb} ${resource}`,
		...(namespace === "" ? [] : [`in ${namespace}`]),
		...(name === "" ? [] : [`named ${name}`]),
	].join(" ");

interface AuditEvent {
	readonly user: { readonly username: string };
	readonly verb: string;
	readonly requestURI: string;
	readonly objectRef?: {
		readonly apiGroup?: string;
		readonly resource?: string;
		readonly subresource?: string;
		readonly namespace?: string;
		readonly name?: string;
	};
	readonly responseStatus?: { readonly code: number };
}

/** What the control plane asked for, each once, and what it was forbidden. */
async function asked(cluster: OwnCluster): Promise<{
	readonly used: readonly Permission[];
	readonly forbidden: readonly string[];
}> {
	const used = new Map<string, Permission>();
	const forbidden = new Set<string>();
	for (const line of (await readFile(cluster.auditLog, "utf8")).split("\n")) {
		if (line === "") continue;
		const event = JSON.parse(line) as AuditEvent;
		if (event.user.username !== account) continue;
		const { objectRef: ref, responseStatus } = event;
		if (responseStatus?.code === 403)
			forbidden.add(`${event.verb} ${event.requestURI}`);
		if (ref?.resource === undefined) continue;
		const field = /[?&]fieldSelector=metadata\.name(?:=|%3D)([^&]+)/.exec(
			event.requestURI,
		)?.[1];
		const permission: Permission = {
			verb: event.verb,
			resource: `${ref.apiGroup ?? ""}/${ref.resource}${ref.subresource === undefined ? "" : `/${ref.subresource}`}`,
			namespace: ref.namespace ?? "",
			name: ref.name ?? field ?? "",
		};
		used.set(print(permission), permission);
		// To apply what does not exist yet is to create it, and that is asked for besides.
		if (event.verb === "patch" && responseStatus?.code === 201) {
			const created = { ...permission, verb: "create" };
			used.set(print(created), created);
		}
	}
	return { used: [...used.values()], forbidden: [...forbidden] };
}

/** Whether a rule covers a use. */
function covers(rule: Permission, use: Permission): boolean {
	return (
		rule.verb === use.verb &&
		rule.resource === use.resource &&
		(rule.namespace === "" || rule.namespace === use.namespace) &&
		(rule.name === "" || rule.name === use.name)
	);
}

describe("the roles of the manifests", function () {
	this.timeout(180_000);
	/** One API server with streamed lists and one without: each is read in its own way. */
	const clusters: OwnCluster[] = [];
	const used: Permission[] = [];
	const forbidden: string[] = [];

	before(async () => {
		for (const apiserverFlags of [[], ["--feature-gates=WatchList=false"]]) {
			const cluster = await ownCluster({ crds: false, apiserverFlags });
			clusters.push(cluster);
			await live(cluster);
			const seen = await asked(cluster);
			used.push(...seen.used);
			forbidden.push(...seen.forbidden);
		}
	});
	after(async () => {
		for (const cluster of clusters) await cluster[Symbol.asyncDispose]();
	});

	it("forbid nothing that is asked for", () => {
		expect(forbidden).to.deep.equal([]);
		const all = permissions();
		expect(
			used
				.filter((use) => !all.some((rule) => covers(rule, use)))
				.map(print)
				.sort(),
		).to.deep.equal([]);
	});

	it("allow nothing that is never asked for", () => {
		expect(
			permissions()
				.filter((rule) => !used.some((use) => covers(rule, use)))
				.map(print)
				.filter((rule) => !spares.has(rule))
				.sort(),
		).to.deep.equal([]);
	});
});

/** Everything that a control plane does in its life. */
async function live(cluster: OwnCluster): Promise<void> {
	using folder = new TemporaryFolder();
	await kubectl(cluster, ["apply", "--server-side", "-k", BASE]).catch(() =>
		// What lies in the namespace may have been first.
		kubectl(cluster, ["apply", "--server-side", "-k", BASE]),
	);
	const kubeconfig = join(folder.path, "kubeconfig");
	await writeFile(kubeconfig, await kubeconfigOf(cluster));
	const replicas: RunningServer[] = [];
	const start = async (name: string): Promise<RunningServer> => {
		const server = await startCluster(
			serveSettings({
				source: "kubernetes",
				kubeconfig,
				namespace: system,
				podName: name,
				stateDir: join(folder.path, name),
				xdsListen: "127.0.0.1:0",
				webhookListen: "127.0.0.1:0",
			}),
			{
				logger: silentLogger,
				logs: new LogControl("info"),
				environment: {},
				signal: AbortSignal.timeout(60_000),
				onFailure: (error) => {
					throw error;
				},
			},
		);
		replicas.push(server);
		return server;
	};
	try {
		await apply(cluster, ...world);
		const first = await start("lateen-a");
		await start("lateen-b");
		await usingProxy(cluster, first, async () => {
			await waitFor(cluster, "routerule/reviews", "Programmed");
			// Refused by nobody but the control plane itself, as the API server does not reach its webhook here.
			await apply(cluster, rule({ match: [{ path: { regex: "(?=a)" } }] }));
			await waitFor(cluster, "routerule/reviews", "Accepted", "False");
			await apply(cluster, rule({ timeout: "5s" }));
			await waitFor(cluster, "routerule/reviews", "Programmed");
		});
		await eventually(async () => {
			const kept = await kubectl(cluster, [
				"get",
				"lastgoods",
				"-A",
				"-o",
				"name",
			]);
			expect(kept).to.not.equal("");
		});
		// A namespace asks for injection, gets the authorities, and asks no more.
		await kubectl(cluster, ["create", "namespace", "meshed"]);
		const copies = (): Promise<string> =>
			kubectl(cluster, [...["-n", "meshed", "get", "configmap"], "-o", "name"]);
		for (const [label, expected] of [
			["lateen.dev/inject=true", "configmap/lateen-ca\n"],
			["lateen.dev/inject-", ""],
		] as const) {
			await kubectl(cluster, ["label", "namespace", "meshed", label]);
			await eventually(async () => expect(await copies()).to.equal(expected));
		}
		// The rest of the certificate's life: the bundle, the Secret and the registration are damaged.
		const own = ["-n", system];
		await kubectl(cluster, [
			...[...own, "patch", "secret", "lateen-serving", "--type=merge"],
			...["-p", '{"data":{"tls.crt":""}}'],
		]);
		await eventually(async () => {
			const leaf = await kubectl(cluster, [
				...[...own, "get", "secret", "lateen-serving"],
				...["-o", "jsonpath={.data.tls\\.crt}"],
			]);
			expect(leaf).to.not.equal("");
		});
		await kubectl(cluster, ["delete", "routerule,externalservice", "--all"]);
		await eventually(async () => {
			const kept = await kubectl(cluster, ["get", "lastgoods", "-o", "name"]);
			expect(kept).to.equal("");
		}, 20_000);
		// The same is said twice, and counted.
		for (let time = 1; time <= 2; time += 1) {
			await kubectl(cluster, [
				...["delete", "routerule", "reviews", "--ignore-not-found"],
			]);
			await apply(cluster, rule({ match: [{ path: { regex: "(?=a)" } }] }));
			await waitFor(cluster, "routerule/reviews", "Accepted", "False");
		}
		await eventually(async () => {
			const counts = await kubectl(cluster, [
				...["get", "events.events.k8s.io"],
				...["-o", "jsonpath={.items[*].series.count}"],
			]);
			expect(counts).to.include("2");
		}, 20_000);
		// The lead goes over.
		await replicas.shift()?.[Symbol.asyncDispose]();
		await eventually(async () => {
			const holder = await kubectl(cluster, [
				...[...own, "get", "lease", "lateen-leader"],
				...["-o", "jsonpath={.spec.holderIdentity}"],
			]);
			expect(holder).to.match(/^lateen-b_/);
		}, 20_000);
		await sweep(kubeconfig);
	} finally {
		for (const replica of replicas) await replica[Symbol.asyncDispose]();
	}
}

/** What the leader does once a minute about replicas that are gone. */
async function sweep(kubeconfig: string): Promise<void> {
	const access = await loadKubeConfig({
		kubeconfig,
		environment: {},
		clock: systemClock,
	});
	await using connection = openConnection(access, {
		clock: systemClock,
		userAgent: "lateen/test",
	});
	await deleteLeftovers(
		new ObjectClient(connection),
		system,
		{ leases: [], reports: ["lateen-a-0"] },
		() => true,
	);
}

/** A kubeconfig of the ServiceAccount. */
async function kubeconfigOf(cluster: OwnCluster): Promise<string> {
	const token = await kubectl(cluster, [
		...["-n", system, "create", "token", "lateen"],
	]);
	const config = parse(await readFile(cluster.kubeconfig, "utf8")) as {
		readonly clusters: unknown;
		readonly contexts: unknown;
		readonly users: readonly { readonly name: string }[];
	};
	const users = config.users.map(({ name }) => ({
		name,
		user: { token: token.trim() },
	}));
	return stringify({ ...config, users });
}

async function usingProxy(
	cluster: OwnCluster,
	server: RunningServer,
	happens: () => Promise<void>,
): Promise<void> {
	const token = await kubectl(cluster, [
		...["create", "token", "default", "--audience=lateen.dev"],
		...["--bound-object-kind=Pod", "--bound-object-name=productpage"],
	]);
	const ca = await kubectl(cluster, [
		...["-n", system, "get", "configmap", "lateen-ca"],
		...["-o", "jsonpath={.data.ca\\.crt}"],
	]);
	const connection = new AdsConnection(printAddress(server.xds), ca);
	const call = connection.delta(token.trim());
	const acknowledging = (async () => {
		for (;;) await call.told();
	})().catch(() => undefined);
	try {
		for (const type of ["cluster", "listener"] as const)
			call.ask(type, { node: { id: "sidecar~default/productpage" } });
		await happens();
	} finally {
		call.close();
		await acknowledging;
		connection.close();
	}
}

async function apply(
	cluster: OwnCluster,
	...list: readonly object[]
): Promise<void> {
	await kubectl(
		cluster,
		["apply", "--server-side", "--force-conflicts", "-f", "-"],
		JSON.stringify({ apiVersion: "v1", kind: "List", items: list }),
	);
}

async function waitFor(
	cluster: OwnCluster,
	object: string,
	condition: string,
	status = "True",
): Promise<void> {
	await kubectl(cluster, [
		...["wait", object, `--for=condition=${condition}=${status}`],
		"--timeout=30s",
	]);
}

function rule(spec: object): object {
	return {
		apiVersion: "lateen.dev/v1alpha1",
		kind: "RouteRule",
		metadata: { name: "reviews", namespace: "default" },
		spec: { destination: { name: "reviews" }, ...spec },
	};
}

const world: readonly object[] = [
	{
		apiVersion: "v1",
		kind: "ServiceAccount",
		metadata: { name: "default", namespace: "default" },
	},
	{
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name: "productpage", namespace: "default" },
		spec: {
			serviceAccountName: "default",
			containers: [{ name: "web", image: "web" }],
		},
	},
	{
		apiVersion: "v1",
		kind: "Service",
		metadata: { name: "reviews", namespace: "default" },
		spec: { ports: [{ name: "http", port: 9080 }] },
	},
	{
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: {
			name: "reviews-1",
			namespace: "default",
			labels: { "kubernetes.io/service-name": "reviews" },
		},
		addressType: "IPv4",
		ports: [{ name: "http", port: 9080, protocol: "TCP" }],
		endpoints: [{ addresses: ["10.1.0.1"] }],
	},
	{
		apiVersion: "lateen.dev/v1alpha1",
		kind: "Mesh",
		metadata: { name: "default" },
		spec: {},
	},
	{
		apiVersion: "lateen.dev/v1alpha1",
		kind: "ExternalService",
		metadata: { name: "api", namespace: "default" },
		spec: {
			hosts: ["api.example.com"],
			ports: [{ number: 80, name: "http", protocol: "HTTP" }],
		},
	},
	rule({}),
];
