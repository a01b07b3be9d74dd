import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { parse, parseAllDocuments, stringify } from "yaml";
import { programPath, type Ran, runLateen } from "../cli/run-lateen.ts";
import { Running } from "../cli/serving.ts";
import type { ClusterReplica } from "../testkit/cluster-replica.ts";
import { ClusterWorld } from "../testkit/cluster-world.ts";
import { eventually } from "../testkit/eventually.ts";
import {
	ApiClient,
	kubectl,
	type OwnCluster,
	ownCluster,
} from "../testkit/kube-cluster.ts";
import { TcpRelay } from "../testkit/tcp-relay.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

/** The API server's proxy to pods refuses loopback addresses. */
const address = Object.values(networkInterfaces())
	.flatMap((list) => list ?? [])
	.find(({ family, internal }) => family === "IPv4" && !internal)?.address;

interface Config {
	readonly clusters: readonly {
		readonly name: string;
		readonly cluster: Record<string, string>;
	}[];
	readonly contexts: readonly {
		readonly name: string;
		readonly context: Record<string, string>;
	}[];
	readonly users: readonly {
		readonly name: string;
		readonly user: Record<string, string>;
	}[];
}

describe("commands in a Kubernetes cluster", function () {
	this.timeout(60_000);
	let cluster: OwnCluster;
	let world: ClusterWorld;
	let replicas: readonly ClusterReplica[];
	let relay: TcpRelay;
	const folder = new TemporaryFolder();
	/** A kubeconfig with contexts of an administrator (`test`), of somebody without rights (`jane`), over a relay and to nowhere. */
	const kubeconfig = join(folder.path, "kubeconfig");

	before(async function () {
		if (address === undefined) {
			console.log(
				"This machine has no address but loopback ones, which the API server's proxy to pods refuses: skipped.",
			);
			this.skip();
		}
		cluster = await ownCluster();
		world = await ClusterWorld.create(cluster);
		await kubectl(
			cluster,
			["-n", world.own, "apply", "-f", "-"],
			`apiVersion: v1
kind: ServiceAccount
metadata: {name: default}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: lateen-reader}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: lateen-operator}
`,
		);
		replicas = [await started("lateen-0"), await started("lateen-1")];
		relay = await TcpRelay.to(Number(new URL(cluster.server).port));
		await writeKubeconfig();
		const [first, second] = replicas;
		if (first === undefined || second === undefined) throw new Error();
		await world.proxy(first, "web-1");
		await world.proxy(second, "web-2");
		await world.answer("first");
		await world.wait("web", "Ready");
	});

	after(async () => {
		await world?.[Symbol.asyncDispose]();
		await relay?.[Symbol.asyncDispose]();
		await cluster?.[Symbol.asyncDispose]();
		folder[Symbol.dispose]();
	});

	/** Starts a replica with the pod that it would be. */
	async function started(name: string): Promise<ClusterReplica> {
		const replica = await world.replica(name, {
			webhookListen: `${address}:0`,
		});
		const port = Number(replica.webhook.split(":").at(-1));
		await kubectl(
			cluster,
			["-n", world.own, "apply", "-f", "-"],
			JSON.stringify({
				apiVersion: "v1",
				kind: "Pod",
				metadata: { name, labels: { "app.kubernetes.io/name": "lateen" } },
				spec: {
					containers: [
						{
							name: "lateen",
							image: "lateen",
							ports: [{ name: "https-webhook", containerPort: port }],
						},
					],
				},
			}),
		);
		await kubectl(cluster, [
			...["-n", world.own, "patch", "pod", name, "--subresource=status"],
			...["--type=merge", "-p"],
			JSON.stringify({
				status: {
					phase: "Running",
					podIP: address,
					podIPs: [{ ip: address }],
				},
			}),
		]);
		return replica;
	}

	async function writeKubeconfig(): Promise<void> {
		const config = parse(await readFile(cluster.kubeconfig, "utf8")) as Config;
		const [place] = config.clusters;
		const [admin] = config.users;
		const at = (name: string, server: string) => ({
			name,
			cluster: { ...place?.cluster, server },
		});
		const context = (name: string, where: string, user: string) => ({
			name,
			context: { cluster: where, user, namespace: world.namespace },
		});
		await writeFile(
			kubeconfig,
			stringify({
				apiVersion: "v1",
				kind: "Config",
				"current-context": "test",
				clusters: [
					at("test", cluster.server),
					at("relay", `https://127.0.0.1:${relay.port}`),
					at("nowhere", "https://127.0.0.1:1"),
				],
				users: [
					{ name: "admin", user: admin?.user },
					{ name: "jane", user: { ...admin?.user, as: "jane" } },
					{ name: "joe", user: { ...admin?.user, as: "joe" } },
					{ name: "mia", user: { ...admin?.user, as: "mia" } },
				],
				contexts: [
					context("test", "test", "admin"),
					context("jane", "test", "jane"),
					context("joe", "test", "joe"),
					context("mia", "test", "mia"),
					context("relay", "relay", "admin"),
					context("nowhere", "nowhere", "admin"),
				],
			}),
		);
	}

	const where = (): readonly string[] => [
		...["--kubeconfig", kubeconfig, "--lateen-namespace", world.own],
	];

	/** Runs a command against the cluster. */
	const lateen = (...words: readonly string[]): Promise<Ran> =>
		runLateen([...words, ...where()]);

	/** Runs it against one replica. */
	const directly = (
		replica: ClusterReplica | undefined,
		...words: readonly string[]
	): Promise<Ran> =>
		runLateen([...words, "--state-dir", replica?.stateDir ?? ""]);

	const json = (ran: Ran): unknown => {
		expect(ran.err).to.equal("");
		return JSON.parse(ran.out) as unknown;
	};

	describe("lateen get", () => {
		it("shows the objects of the context's namespace", async () => {
			const { code, out, err } = await lateen("get", "rr");
			expect(err.trim()).to.equal("");
			expect(code).to.equal(0);
			expect(out.split("\n")[0]).to.match(
				/^NAME +DESTINATION +READY +PROGRAMMED +REASON +AGE/,
			);
			expect(out).to.match(/^web +web +True +2\/2 +Ready/m);
		});

		it("shows those of all namespaces, and of another one", async () => {
			const all = await lateen("get", "rr", "-A", "-o", "wide");
			expect(all.out).to.match(
				new RegExp(`^${world.namespace} +web +.*True.* 1 `, "m"),
			);
			const other = await lateen("get", "rr", "-n", "default");
			expect(other.out).to.equal("");
			expect(other.err).to.include(
				"There is no RouteRule in the namespace default.",
			);
		});

		it("says the same as a replica that is asked directly", async () => {
			const words = ["get", "rr/web", "-n", world.namespace, "-o", "json"];
			// Each notes for itself when it saw a condition change.
			const said = (ran: Ran): unknown =>
				JSON.parse(JSON.stringify(json(ran)), (name, value: unknown) =>
					name === "lastTransitionTime" ? undefined : value,
				);
			await eventually(async () => {
				for (const replica of replicas)
					expect(said(await lateen(...words))).to.deep.equal(
						said(await directly(replica, ...words)),
					);
			});
		});

		it("says that an object is not there, and who was asked", async () => {
			const { code, err } = await lateen("get", "rr", "wob");
			expect(code).to.equal(1);
			expect(err).to.include(`There is no RouteRule ${world.namespace}/wob.`);
			expect(err).to.include(`Asked was the context test (${cluster.server})`);
		});

		it("shows events of the API server", async () => {
			await invalid("evented");
			await eventually(async () => {
				const { out } = await lateen("get", "events");
				expect(out).to.match(
					new RegExp(
						`Warning +Invalid +RouteRule/${world.namespace}/evented +\\d+ `,
					),
				);
			});
			const [event] = (
				json(await lateen("get", "events", "-o", "json")) as {
					readonly events: readonly Record<string, unknown>[];
				}
			).events.filter(({ name }) => name === "evented");
			expect(event).to.include({
				kind: "RouteRule",
				namespace: world.namespace,
				type: "Warning",
				reason: "Invalid",
			});
			expect(event?.["lastTime"]).to.match(/^\d{4}-.*:\d\dZ$/);
			await world.kubectl("delete", "routerule", "evented");
		});

		it("watches past a connection that breaks", async () => {
			await using watch = new Running([
				...["get", "rr", "-w", "--context", "relay"],
				...where(),
			]);
			expect(await watch.line()).to.match(/^NAME/);
			expect(await watch.line()).to.match(/^web /);
			await world.answer("x", "seen");
			expect(await watch.line()).to.match(/^seen /);
			relay.refuse();
			await world.answer("x", "missed");
			relay.pass();
			const next = async (name: string): Promise<string> => {
				for (;;) {
					const line = await watch.line();
					if (line.startsWith(`${name} `)) return line;
				}
			};
			await next("missed");
			await world.kubectl("delete", "routerule", "seen", "missed");
			for (;;) if ((await next("missed")).includes("Deleted")) return;
		});
	});

	describe("lateen wait", () => {
		it("says when a rule is live on the proxies of all replicas", async () => {
			await world.answer("second");
			const { code, out, err } = await lateen("wait", "rr/web");
			expect(err).to.equal("");
			expect(out).to.include("2 of 2");
			expect(code).to.equal(0);
		});

		it("says at once that an object is refused", async () => {
			await invalid("bad");
			const { code, err } = await lateen("wait", "rr/bad", "--timeout", "20s");
			expect(err).to.include("Invalid: ");
			expect(code).to.equal(4);
			await world.kubectl("delete", "routerule", "bad");
		});

		it("gives up in time, and looks once for no time", async () => {
			for (const timeout of ["3s", "0s"]) {
				const { code, err } = await lateen(
					...["wait", "rr/nobody", "--timeout", timeout],
				);
				expect(err).to.include("There is no RouteRule of this name.");
				expect(code).to.equal(1);
			}
		});

		it("waits for what is not there yet", async () => {
			await using waiting = new Running([
				...["wait", `rr/${world.namespace}/late`, "--timeout", "30s"],
				...where(),
			]);
			await world.answer("x", "late");
			expect(await waiting.line()).to.include("late: ");
			expect((await waiting.ended()).code).to.equal(0);
			await world.kubectl("delete", "routerule", "late");
		});
	});

	describe("what replicas know", () => {
		it("is put together in the list of proxies", async () => {
			const { out } = await lateen("proxies");
			expect(out).to.match(
				new RegExp(`^${world.namespace}/web-1 .* yes .* lateen-0 *$`, "m"),
			);
			expect(out).to.match(
				new RegExp(`^${world.namespace}/web-2 .* yes .* lateen-1 *$`, "m"),
			);
			const none = await lateen("proxies", "-n", "default");
			expect(none.err).to.include(
				"No proxy of the namespace default is connected.",
			);
			const { proxies } = json(await lateen("proxies", "-A", "-o", "json")) as {
				readonly proxies: readonly Record<string, unknown>[];
			};
			const own = await Promise.all(
				replicas.map(async (one) =>
					json(await directly(one, "proxies", "-o", "json")),
				),
			);
			expect(proxies.map(({ replica: _, ...proxy }) => proxy)).to.deep.equal(
				own.flatMap((one) => (one as { proxies: unknown[] }).proxies),
			);
		});

		const same = [
			{ name: "proxy", words: ["proxy", "web-2"] },
			{ name: "proxy clusters", words: ["proxy", "web-2", "clusters"] },
			{ name: "proxy diff", words: ["proxy", "web-2", "diff"] },
			{ name: "why of a resource", words: ["why", "web-2", "web"] },
			{
				name: "explain",
				words: ["explain", "http://web/web", "--from", "web-2"],
			},
		] as const;
		for (const { name, words } of same) {
			it(`is the same as that of the replica of a proxy: ${name}`, async () => {
				const inNamespace = ["-n", world.namespace, "-o", "json"];
				const here = await lateen(...words, "-o", "json");
				const there = await directly(replicas[1], ...words, ...inNamespace);
				expect(here).to.deep.equal(there);
				expect(here.code).to.equal(0);
			});
		}

		it("is put together for an object", async () => {
			const { out, code } = await lateen("why", "rr/web");
			expect(code).to.equal(0);
			for (const name of ["web-1", "web-2"])
				expect(out).to.match(
					new RegExp(`^${world.namespace}/${name} +virtualhosts`, "m"),
				);
		});

		it("is compared with files that are laid over the cluster's objects", async () => {
			const rule = (body: string): string => `apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: web}
spec:
  destination: {name: web}
  match: [{path: {exact: /web}}]
  respond: {status: 200, body: ${body}}
`;
			const same = join(folder.path, "same.yaml");
			await writeFile(same, rule("second"));
			const none = await lateen("diff", same);
			expect(none.err).to.equal("");
			expect(none.out).to.include("2 proxies: no change");
			expect(none.code).to.equal(0);
			const other = join(folder.path, "other.yaml");
			await writeFile(other, rule("other"));
			const some = await lateen("diff", other);
			expect(some.out).to.include(`${world.namespace}/web-1: `);
			expect(some.out).to.match(
				new RegExp(
					`# for ${world.namespace}/web-1, ${world.namespace}/web-2; from`,
				),
			);
			expect(some.out).to.match(/^-.*second/m);
			expect(some.out).to.match(/^\+.*other/m);
			expect(some.code).to.equal(1);
		});

		it("is told to nobody without the token of a reader", async () => {
			using api = await ApiClient.of(cluster);
			const port = replicas[0]?.webhook.split(":").at(-1);
			const path = `/api/v1/namespaces/${world.own}/pods/https:lateen-0:${port}/proxy/v1/proxies`;
			const token = async (account: string, audience: string) =>
				(
					await kubectl(cluster, [
						...["-n", world.own, "create", "token", account],
						...["--audience", audience],
					])
				).trim();
			const ask = (headers: Record<string, string>) =>
				api.ask("GET", path, undefined, headers);
			const strangers = [
				{},
				{ "x-lateen-token": "abc" },
				{ "x-lateen-token": await token("lateen-reader", "lateen.dev") },
				{ "x-lateen-token": await token("default", "lateen.dev/admin") },
			];
			for (const headers of strangers) {
				const { status, body } = await ask(headers);
				expect(status).to.equal(403);
				expect(JSON.stringify(body)).to.not.include(world.namespace);
			}
			const good = await ask({
				"x-lateen-token": await token("lateen-reader", "lateen.dev/admin"),
			});
			expect(good.status).to.equal(200);
		});
	});

	describe("somebody with few rights", () => {
		const jane = (...words: readonly string[]): Promise<Ran> =>
			lateen(...words, "--context", "jane");

		/** Gives a role in a namespace. */
		const allow = async (
			namespace: string,
			name: string,
			verb: string,
			...resource: readonly string[]
		): Promise<void> => {
			await kubectl(cluster, [
				...["-n", namespace, "create", "role", name, "--verb", verb],
				...resource.map((one) => `--resource=${one}`),
			]);
			await kubectl(cluster, [
				...["-n", namespace, "create", "rolebinding", name],
				...["--role", name, "--user", "jane"],
			]);
		};

		/** What is said for as long as roles take to arrive. */
		const until = (says: string, ...words: readonly string[]): Promise<void> =>
			eventually(async () => {
				const { err, out } = await jane(...words);
				expect(`${err}${out}`).to.include(says);
			});

		it("is told which verb is missing, one by one", async () => {
			const forbidden = [
				{ words: ["get", "rr"], verb: "verb list on routerules" },
				{ words: ["get", "rr", "web"], verb: "verb get on routerules" },
				{ words: ["get", "rr", "-w"], verb: "verb watch on routerules" },
				{ words: ["wait", "rr/web"], verb: "verb watch on routerules" },
				{ words: ["get", "events"], verb: "verb list on events" },
				{ words: ["get", "all"], verb: "verb list on routerules" },
				{ words: ["proxies"], verb: "verb list on pods" },
			];
			for (const { words, verb } of forbidden) {
				const { code, err } = await jane(...words);
				expect(err).to.include(verb);
				expect(err).to.include("Asked was the context jane");
				expect(code).to.equal(3);
			}
			await allow(world.own, "pods", "list", "pods");
			await until("verb create on serviceaccounts/token", "proxies");
			await allow(world.own, "token", "create", "serviceaccounts/token");
			await until("verb get on pods/proxy", "proxies");
			await allow(world.own, "proxy", "get", "pods/proxy");
			await until(`${world.namespace}/web-2`, "proxies");
			await allow(
				world.namespace,
				"read",
				"get,list,watch",
				"routerules.lateen.dev",
			);
			await until("web ", "get", "rr");
			const wait = await jane("wait", "rr/web");
			expect(wait.code).to.equal(0);
			const all = await jane("get", "all");
			expect(all.out).to.include("routerule/web");
			expect(all.err).to.include("verb list on meshes");
			expect(all.code).to.equal(3);
		});
	});

	describe("the way there", () => {
		it("suggests a context of a similar name", async () => {
			const { code, err } = await lateen("get", "rr", "--context", "tset");
			expect(err).to.include(
				'has no context named "tset". Did you mean "test"?',
			);
			expect(code).to.equal(3);
		});

		it("names a server that cannot be reached", async () => {
			for (const words of [
				["get", "rr"],
				["get", "rr", "-w"],
				["wait", "rr/web"],
				["proxies"],
			]) {
				const { code, err } = await lateen(...words, "--context", "nowhere");
				expect(err).to.include(
					"https://127.0.0.1:1 failed: nobody listens there",
				);
				expect(code).to.equal(3);
			}
		});

		it("names the namespace in which there is no Lateen", async () => {
			const { code, err } = await runLateen([
				...["proxies", "--kubeconfig", kubeconfig],
			]);
			expect(err).to.include("runs in the namespace lateen-system.");
			expect(code).to.equal(3);
		});

		it("is not mixed with a server that is asked directly", async () => {
			const { code, err } = await lateen("get", "rr", "--server", "unix:/x");
			expect(err).to.include("--server asks a server directly");
			expect(code).to.equal(2);
		});

		it("is taken without being asked for where no server runs, and not where one does", async () => {
			const environment = { KUBECONFIG: kubeconfig };
			const found = await runLateen(["get", "rr"], { environment });
			expect(found.out).to.match(/^web /m);
			const stateHome = join(folder.path, "state");
			await mkdir(join(stateHome, "lateen"), { recursive: true });
			await writeFile(
				join(stateHome, "lateen/serve.json"),
				JSON.stringify({ xds: "127.0.0.1:1", admin: "unix:/nowhere" }),
			);
			const direct = await runLateen(["get", "rr"], {
				environment: { ...environment, XDG_STATE_HOME: stateHome },
			});
			expect(direct.err).to.include("Nothing answers at unix:/nowhere.");
		});

		it("is kubectl's for the plugin, which says so in its help", async () => {
			const bin = join(folder.path, "bin");
			await mkdir(bin, { recursive: true });
			const plugin = join(bin, "kubectl-lateen");
			await writeFile(
				plugin,
				`#!${process.execPath}\nimport ${JSON.stringify(programPath)};\n`,
			);
			await chmod(plugin, 0o755);
			const run = (...words: readonly string[]) =>
				promisify(execFile)(cluster.kubectl, ["lateen", ...words], {
					env: {
						HOME: "/nonexistent",
						PATH: `${bin}:${process.env["PATH"]}`,
						KUBECONFIG: kubeconfig,
					},
				});
			const { stdout } = await run("get", "rr");
			expect(stdout).to.match(/^web +web +True/m);
			const help = await run("get", "--help");
			expect(help.stdout).to.include("Usage: kubectl lateen get KIND");
			expect(help.stdout).to.not.match(/(?<!kubectl )lateen get/);
			const missing = await run("get", "rr", "wob").catch(
				(error: { readonly stderr: string }) => error,
			);
			expect(missing.stderr).to.match(/^kubectl lateen get: There is no/);
		});
	});

	describe("in the end", () => {
		/** Gives a role of the manifests to somebody. */
		async function bind(name: string, user: string): Promise<void> {
			const roles = parseAllDocuments(
				await readFile(
					join(import.meta.dirname, "../../manifests/base/user-roles.yaml"),
					"utf8",
				),
			).map(
				(one) => one.toJS() as { kind: string; metadata: { name: string } },
			);
			const role = roles.find(
				({ kind, metadata }) => kind === "Role" && metadata.name === name,
			);
			const own = ["-n", world.own];
			await kubectl(
				cluster,
				[...own, "apply", "-f", "-"],
				JSON.stringify({
					...role,
					metadata: { ...role?.metadata, namespace: world.own },
				}),
			);
			await kubectl(cluster, [
				...[...own, "create", "rolebinding", user],
				...["--role", name, "--user", user],
			]);
		}

		it("lets a reader of the manifests' role ask the replicas", async () => {
			await bind("lateen-reader", "joe");
			await eventually(async () => {
				for (const words of [
					["proxies"],
					["why", "rr/web"],
					["proxy", "web-1"],
				]) {
					const { code, out } = await lateen(...words, "--context", "joe");
					expect(out).to.include(`${world.namespace}/web-1`);
					expect(code).to.equal(0);
				}
			});
		});

		it("lets an operator of the manifests' role change how much the replicas log, and readers see it", async () => {
			await bind("lateen-operator", "mia");
			await eventually(async () => {
				const { code, out, err } = await lateen(
					...["log-level", "xds=debug", "-o", "json", "--context", "mia"],
				);
				expect(err).to.equal("");
				expect(code).to.equal(0);
				const { servers } = JSON.parse(out) as {
					readonly servers: readonly {
						readonly replica: string;
						readonly levels: { readonly parts: { readonly xds: string } };
					}[];
				};
				expect(
					servers.map(({ replica, levels }) => [replica, levels.parts.xds]),
				).to.deep.equal([
					["lateen-0", "debug"],
					["lateen-1", "debug"],
				]);
			});
			const seen = await lateen("log-level", "--context", "joe");
			expect(seen.out).to.match(/^PART +lateen-0 +lateen-1$/m);
			expect(seen.out).to.match(/^xds +debug +debug$/m);
			const refused = await lateen(
				...["log-level", "xds=default", "--context", "joe"],
			);
			expect(refused.code).to.equal(3);
			expect(refused.err).to.include("serviceaccounts");
			await lateen("log-level", "xds=default", "--context", "mia");
		});

		it("says of an object that nobody has looked at that its state is not known", async () => {
			for (const replica of replicas) replica.signal("SIGSTOP");
			try {
				await world.answer("x", "unseen");
				await world.answer("third");
				const { out, err } = await lateen("get", "rr");
				expect(out).to.match(/^unseen +web +Unknown /m);
				expect(out).to.match(/^web +web +Unknown +2\/2 +Ready/m);
				expect(err).to.include("unseen: It has no status");
				expect(err).to.include(
					"web: No control plane has looked at generation",
				);
				const wait = await lateen("wait", "rr/web", "--timeout", "1s");
				expect(wait.err).to.match(
					/Programmed is not True after 1 s[.] (No control plane has looked at generation 3 yet|No answer has come)/,
				);
				expect(wait.code).to.equal(1);
			} finally {
				for (const replica of replicas) replica.signal("SIGCONT");
			}
			await world.wait("web", "Ready");
			await world.kubectl("delete", "routerule", "unseen");
		});
	});

	describe("when a replica is gone", () => {
		it("says which replica did not answer, and shows what the others know", async () => {
			await replicas[1]?.kill();
			const { code, out, err } = await lateen("proxies");
			expect(out).to.include(`${world.namespace}/web-1`);
			expect(err).to.include("The replica lateen-1 did not answer: ");
			expect(code).to.equal(3);
			const diff = await lateen("proxy", "web-2");
			expect(diff.err).to.include("No proxy of the name");
			expect(diff.err).to.include("lateen-1 did not answer");
		});
	});

	/** Applies a rule that only the control plane refuses, as its webhook is not registered. */
	async function invalid(name: string): Promise<void> {
		await world.apply(`apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: ${name}}
spec:
  destination: {name: web}
  match: [{path: {regex: "(?=a)"}}]
`);
	}
});
