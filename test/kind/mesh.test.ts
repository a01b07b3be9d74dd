// Lateen as it is installed: its images, its manifests, and pods that it injects.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { eventually } from "../testkit/eventually.ts";
import {
	type KindCluster,
	sharedKindCluster,
} from "../testkit/kind-cluster.ts";
import {
	installLateen,
	LATEEN_IMAGE,
	uninstallLateen,
} from "../testkit/kind-mesh.ts";
import { kubectl, newNamespace } from "../testkit/kube-cluster.ts";
import type { Load, Seen } from "./pod-app.ts";

const run = promisify(execFile);
const MAIN = join(import.meta.dirname, "../../src/main.ts");
const APP = readFileSync(join(import.meta.dirname, "pod-app.ts"), "utf8");

/** Readiness, endpoints and the proxies' configuration follow each other. */
const PATIENCE_MS = 60_000;
/** Requests a second; one processor of the two has to carry all of it. */
const RATE = 50;
/** Where connections come from that the proxy of the pod itself makes. */
const BY_PROXY = "127.0.0.6";

describe("Lateen in a cluster with pods", () => {
	let cluster: KindCluster;
	let meshed: string;
	let plain: string;
	const inMesh = (args: readonly string[], input?: string): Promise<string> =>
		kubectl(cluster, ["--namespace", meshed, ...args], input);
	const inSystem = (...args: readonly string[]): Promise<string> =>
		kubectl(cluster, ["--namespace", "lateen-system", ...args]);
	/** Runs the application's program in a pod. */
	const inPod = async (
		pod: string,
		...args: readonly string[]
	): Promise<string> => {
		const [namespace = "", name = ""] = pod.split("/");
		return await kubectl(cluster, [
			...["exec", "--namespace", namespace, name, "-c", "app", "--"],
			...["/usr/bin/node", "/app/pod-app.ts", ...args],
		]);
	};
	const ask = async (
		pod: string,
		url: string,
		...header: readonly string[]
	): Promise<Seen> => {
		const answer = await inPod(pod, "ask", url, ...header);
		expect(answer).to.match(/^200 /);
		return JSON.parse(answer.slice(4)) as Seen;
	};
	const client = (): string => `${meshed}/client`;

	before(async () => {
		cluster = await sharedKindCluster();
		await installLateen(cluster);
		meshed = await newNamespace(cluster);
		plain = await newNamespace(cluster);
		await kubectl(cluster, [
			...["label", "namespace", meshed, "lateen.dev/inject=true"],
		]);
		for (const namespace of [meshed, plain]) {
			await kubectl(
				cluster,
				["apply", "--namespace", namespace, "-f", "-"],
				list(...common()),
			);
		}
		await inMesh(
			["apply", "-f", "-"],
			list(deployment("web", "v1", 2), deployment("web", "v2", 1)),
		);
		for (const args of [
			["--namespace", meshed, "rollout", "status", "deployment/web-v1"],
			["--namespace", meshed, "rollout", "status", "deployment/web-v2"],
			["--namespace", meshed, "wait", "pod/client", "--for=condition=Ready"],
			["--namespace", plain, "wait", "pod/client", "--for=condition=Ready"],
		]) {
			await kubectl(cluster, [...args, "--timeout=120s"]);
		}
	});

	after(async () => {
		if (meshed !== undefined)
			await kubectl(cluster, ["delete", "namespace", meshed, plain]);
		await uninstallLateen(cluster);
	});

	describe("as installed", () => {
		it("has two replicas that are ready, under the strictest level of Pod Security, and one leads", async () => {
			const { status } = JSON.parse(
				await inSystem("get", "deployment", "lateen", "-o", "json"),
			) as { readonly status: { readonly readyReplicas: number } };
			expect(status.readyReplicas).to.equal(2);
			const level = await kubectl(cluster, [
				...["get", "namespace", "lateen-system", "-o"],
				"jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}",
			]);
			expect(level).to.equal("restricted");
			const pods = await inSystem(
				...["get", "pods", "-l", "app=lateen", "-o", "name"],
			);
			expect(pods.trim().split("\n")).to.include(`pod/${await leader()}`);
		});

		it("is asked about objects of ours, by its own certificate", async () => {
			const bad = rule("bad", { destination: { name: "web" }, timeout: "-1s" });
			const said = await inMesh(["apply", "-f", "-"], list(bad)).then(
				() => "It was taken.",
				(error: unknown) => String(error),
			);
			expect(said).to.contain("timeout");
			// What the CRD cannot say.
			const worse = rule("worse", {
				destination: { name: "web" },
				match: [{ path: { regex: "(?=a)" } }],
			});
			const webhook = await inMesh(["apply", "-f", "-"], list(worse)).then(
				() => "It was taken.",
				(error: unknown) => String(error),
			);
			expect(webhook).to.contain("regex");
		});

		it("gives a proxy to the pods of a namespace that asks, and to no others", async () => {
			const containers = async (namespace: string): Promise<string> =>
				await kubectl(cluster, [
					...["get", "pod", "client", "--namespace", namespace, "-o"],
					"jsonpath={.spec.initContainers[*].name}",
				]);
			expect(await containers(meshed)).to.equal("lateen-capture lateen-proxy");
			expect(await containers(plain)).to.equal("");
		});
	});

	describe("carries what is captured", () => {
		for (const name of [
			"web",
			"web.NAMESPACE",
			"web.NAMESPACE.svc.cluster.local",
		]) {
			it(`by HTTP to the name ${name}`, async () => {
				const url = `http://${name.replace("NAMESPACE", meshed)}/`;
				expect((await ask(client(), url)).from).to.equal(BY_PROXY);
			});
		}

		it("by HTTP to a Service's address", async () => {
			const address = await inMesh([
				...["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"],
			]);
			const { pod, from } = await ask(client(), `http://${address}/`);
			expect(pod).to.match(/^web-/);
			expect(from).to.equal(BY_PROXY);
		});

		it("by HTTP to a headless Service", async () => {
			const { pod, from } = await ask(client(), "http://headless:8080/");
			expect(pod).to.match(/^web-/);
			expect(from).to.equal(BY_PROXY);
		});

		it("by TCP where the server speaks first", async () => {
			expect(await inPod(client(), "tcp", "tcp", "9000")).to.match(
				/^hello from web-\S+\nagain\n/,
			);
		});

		it("by HTTP/2 with trailers, as gRPC is", async () => {
			expect(await inPod(client(), "grpc", "http://grpc:7000")).to.match(
				/^0 web-/,
			);
		});

		it("from a pod to itself by its Service", async () => {
			const { pod } = await ask(client(), "http://self/");
			expect(pod).to.equal("client");
		});

		it("from a pod without a proxy", async () => {
			const { from } = await ask(`${plain}/client`, `http://web.${meshed}/`);
			expect(from).to.equal(BY_PROXY);
		});

		it("to a pod without a proxy", async () => {
			const { pod, from } = await ask(client(), `http://client.${plain}/`);
			expect(pod).to.equal("client");
			expect(from).not.to.equal(BY_PROXY);
		});

		it("but for ports that a pod excludes", async () => {
			const address = await inMesh([
				...["get", "pod", "client", "-o", "jsonpath={.status.podIP}"],
			]);
			const from = async (port: number): Promise<string> =>
				(await ask(`${plain}/client`, `http://${address}:${port}/`)).from;
			expect(await from(8080)).to.equal(BY_PROXY);
			expect(await from(8081)).not.to.equal(BY_PROXY);
		});
	});

	describe("obeys rules", () => {
		const versions = async (header = ""): Promise<readonly string[]> => {
			const answers = await inPod(client(), "ask", "http://web/", header, "20");
			return [
				...new Set(
					[...answers.matchAll(/"version":"(\w+)"/g)].map(
						([, one = ""]) => one,
					),
				),
			].sort();
		};
		const apply = async (object: object): Promise<void> => {
			await inMesh(["apply", "-f", "-"], list(object));
			await inMesh([
				...["wait", "--for=condition=Programmed", "routerule/web"],
				"--timeout=60s",
			]);
		};
		afterEach(async () => {
			await inMesh(["delete", "routerule", "--all"]);
		});

		it("as soon as they are programmed", async () => {
			for (const version of ["v2", "v1"]) {
				await apply(
					rule("web", {
						destination: { name: "web" },
						route: [{ labels: { version } }],
					}),
				);
				expect(await versions()).to.deep.equal([version]);
			}
		});

		it("that look at headers", async () => {
			await apply(
				rule("web", {
					destination: { name: "web" },
					match: [{ headers: { "end-user": "jason" } }],
					route: [{ labels: { version: "v2" } }],
				}),
			);
			expect(await versions("end-user=jason")).to.deep.equal(["v2"]);
			expect(await versions()).to.deep.equal(["v1", "v2"]);
		});

		it("and says so through the API server", async () => {
			await apply(rule("web", { destination: { name: "web" }, timeout: "7s" }));
			const proxies = await lateen("proxies", "-n", meshed);
			expect(proxies).to.match(/client/);
			expect(proxies.match(/web-v1/g)).to.have.lengthOf(2);
			const why = await lateen("why", "routerule/web", "-n", meshed);
			expect(why).to.contain("client");
			const explained = await lateen(
				...["explain", "http://web/", "--from", client(), "-n", meshed],
			);
			expect(explained).to.contain(`${meshed}/web`);
		});
	});

	it("asks applications' probes on behalf of the kubelet", async () => {
		const readiness = await inMesh([
			...["get", "pod", "client", "-o"],
			"jsonpath={.spec.containers[0].readinessProbe.httpGet.port}",
		]);
		expect(readiness).to.equal("15020");
		await ask(client(), "http://localhost:8080/be-unready");
		await inMesh([
			...["wait", "pod/client", "--for=condition=Ready=False"],
			"--timeout=60s",
		]);
		await ask(client(), "http://localhost:8080/be-ready");
		await inMesh([
			...["wait", "pod/client", "--for=condition=Ready", "--timeout=60s"],
		]);
	});

	it("lets a Job complete that has a proxy and uses it at once", async () => {
		await inMesh(["apply", "-f", "-"], list(job()));
		await inMesh([
			...["wait", "job/once", "--for=condition=Complete", "--timeout=120s"],
		]);
		expect(await inMesh(["logs", "job/once", "-c", "app"])).to.contain(
			`"from":"${BY_PROXY}"`,
		);
	});

	describe("with bookinfo", () => {
		const sample = join(import.meta.dirname, "../../samples/bookinfo");
		const objects = ["services.yaml", "rules"].flatMap((name) => [
			"-f",
			join(sample, name),
		]);
		/** What the page is made of, and for whom. */
		const page = async (user: string): Promise<string> => {
			const script = `fetch("http://localhost:9080/api/page", { headers: { cookie: "user=${user}" } }).then((got) => got.text()).then(console.log)`;
			return await kubectl(cluster, [
				...["exec", "productpage-v1", "-c", "app", "--"],
				...["/usr/bin/node", "-e", script],
			]);
		};

		before(async () => {
			// Its objects say that they are in this namespace.
			await kubectl(cluster, [
				...["label", "namespace", "default", "lateen.dev/inject=true"],
			]);
			await kubectl(cluster, [
				...["create", "configmap", "bookinfo"],
				`--from-file=${join(sample, "apps")}`,
			]);
			await kubectl(cluster, ["apply", ...objects]);
			const pods = ["productpage v1", "details v1", "ratings v1"].concat(
				...["v1", "v2", "v3"].map((version) => `reviews ${version}`),
			);
			await kubectl(cluster, ["apply", "-f", "-"], list(...pods.map(bookinfo)));
			await kubectl(cluster, [
				...["wait", "pod", "-l", "bookinfo", "--for=condition=Ready"],
				"--timeout=120s",
			]);
			await kubectl(cluster, [
				...["wait", "routerule", "--all", "--for=condition=Programmed"],
				"--timeout=60s",
			]);
		});

		after(async () => {
			await kubectl(cluster, ["delete", ...objects, "--ignore-not-found"]);
			await kubectl(cluster, [
				...["delete", "pod", "-l", "bookinfo", "--grace-period=1"],
			]);
			await kubectl(cluster, ["delete", "configmap", "bookinfo"]);
			await kubectl(cluster, [
				...["label", "namespace", "default", "lateen.dev/inject-"],
			]);
		});

		it("shares readers among versions as its rules say", async () => {
			const seen = new Set<string>();
			await eventually(async () => {
				seen.add(/"pod":"(reviews-v\d)"/.exec(await page(""))?.[1] ?? "");
				expect([...seen].sort()).to.deep.equal(["reviews-v1", "reviews-v3"]);
			}, PATIENCE_MS);
		});

		it("gives one reader the version of a rule of his own", async () => {
			const jason = await page("jason");
			expect(jason).to.contain('"pod":"reviews-v2"');
			expect(jason).to.contain('"color":"black"');
		});
	});

	describe("loses no request", () => {
		/** Asks all the while, from a pod with a proxy, and expects all answers. */
		const under = async (act: () => Promise<unknown>): Promise<Load> => {
			const child = spawn(
				cluster.kubectl,
				[
					...["--kubeconfig", cluster.kubeconfig, "exec", "-i"],
					...["--namespace", meshed, "client", "-c", "app", "--"],
					...["/usr/bin/node", "/app/pod-app.ts", "load"],
					...["http://web/", String(RATE)],
				],
				{ stdio: ["pipe", "pipe", "inherit"] },
			);
			let said = "";
			child.stdout.on("data", (chunk) => {
				said += String(chunk);
			});
			const end = once(child, "close");
			try {
				await eventually(() => expect(said).to.contain("started"), PATIENCE_MS);
				await act();
			} finally {
				child.stdin.end();
				await end;
			}
			const load = JSON.parse(said.trim().split("\n").at(-1) ?? "") as Load;
			expect(load.failures).to.deep.equal({});
			expect(load.ok).to.equal(load.sent);
			expect(load.sent).to.be.greaterThan(2 * RATE);
			return load;
		};

		it("while an application rolls", async () => {
			const load = await under(async () => {
				await inMesh(["rollout", "restart", "deployment/web-v1"]);
				await inMesh([
					...["rollout", "status", "deployment/web-v1", "--timeout=120s"],
				]);
				await gone("app=web,version=v1", 2);
			});
			expect(Object.keys(load.pods)).to.have.lengthOf.above(3);
		});

		it("when an injected pod is deleted", async () => {
			const [name = ""] = (
				await inMesh(["get", "pods", "-l", "version=v1", "-o", "name"])
			).split("\n");
			await under(async () => {
				await inMesh(["delete", name, "--timeout=120s"]);
			});
		});

		it("while the controller rolls", async () => {
			await under(async () => {
				await inSystem("rollout", "restart", "deployment/lateen");
				await inSystem(
					...["rollout", "status", "deployment/lateen", "--timeout=120s"],
				);
			});
		});

		it("when the leader is killed, and follows changes with the next one", async () => {
			const old = await leader();
			await under(async () => {
				await inSystem(
					...["delete", "pod", old, "--grace-period=0", "--force"],
				);
				await eventually(
					async () => expect(await leader()).not.to.equal(old),
					PATIENCE_MS,
				);
				await inMesh(["scale", "deployment/web-v2", "--replicas=2"]);
				await inMesh([
					...["rollout", "status", "deployment/web-v2", "--timeout=120s"],
				]);
			});
		});
	});

	describe("when it is removed", () => {
		it("leaves nothing, and pods keep what their proxies have", async () => {
			await uninstallLateen(cluster);
			const { from } = await ask(client(), "http://web/");
			expect(from).to.equal(BY_PROXY);
			const left = await kubectl(cluster, [
				...["get", "--all-namespaces", "-o", "name", "--ignore-not-found"],
				...["-l", "app.kubernetes.io/part-of=lateen"],
				"crd,clusterrole,clusterrolebinding,namespace,mutatingwebhookconfiguration,validatingwebhookconfiguration,role,rolebinding",
			]);
			expect(left).to.equal("");
		});
	});

	async function leader(): Promise<string> {
		const holder = await inSystem(
			...["get", "lease", "lateen-leader", "-o"],
			"jsonpath={.spec.holderIdentity}",
		);
		return holder.split("_")[0] ?? "";
	}

	/** Waits until only so many pods are left. */
	async function gone(selector: string, left: number): Promise<void> {
		await eventually(async () => {
			const names = await inMesh([
				...["get", "pods", "-l", selector, "-o", "name"],
			]);
			expect(names.trim().split("\n")).to.have.lengthOf(left);
		}, PATIENCE_MS);
	}

	/** What the program prints, as whoever looks after the cluster. */
	async function lateen(...args: readonly string[]): Promise<string> {
		const { stdout } = await run(process.execPath, [
			...[MAIN, ...args, "--kubeconfig", cluster.kubeconfig],
		]);
		return stdout;
	}
});

function list(...objects: readonly object[]): string {
	return JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
}

function rule(name: string, spec: object): object {
	return {
		apiVersion: "lateen.dev/v1alpha1",
		kind: "RouteRule",
		metadata: { name },
		spec,
	};
}

/** What each of the namespaces has: the program, Services, and a client. */
function common(): readonly object[] {
	const http = { name: "http", port: 80, targetPort: 8080 };
	const service = (name: string, app: string, spec: object): object => ({
		apiVersion: "v1",
		kind: "Service",
		metadata: { name },
		spec: { selector: { app }, ...spec },
	});
	return [
		{
			apiVersion: "v1",
			kind: "ConfigMap",
			metadata: { name: "app" },
			data: { "pod-app.ts": APP },
		},
		service("web", "web", { ports: [http] }),
		service("headless", "web", {
			clusterIP: "None",
			ports: [{ name: "http", port: 8080 }],
		}),
		service("tcp", "web", { ports: [{ name: "tcp", port: 9000 }] }),
		service("grpc", "web", { ports: [{ name: "grpc", port: 7000 }] }),
		service("client", "client", { ports: [http] }),
		// By its own name a pod knows itself without asking anybody.
		service("self", "client", { ports: [http] }),
		{
			apiVersion: "v1",
			kind: "Pod",
			metadata: {
				name: "client",
				labels: { app: "client" },
				annotations: { "lateen.dev/exclude-inbound-ports": "8081" },
			},
			spec: podSpec(["serve"]),
		},
	];
}

function podSpec(args: readonly string[], version = ""): object {
	const isServer = args[0] === "serve";
	return {
		terminationGracePeriodSeconds: 30,
		containers: [
			{
				name: "app",
				image: LATEEN_IMAGE,
				imagePullPolicy: "Never",
				command: ["/usr/bin/node", "/app/pod-app.ts", ...args],
				env: [{ name: "VERSION", value: version }],
				volumeMounts: [{ name: "app", mountPath: "/app" }],
				...(isServer && {
					readinessProbe: {
						httpGet: { path: "/ready", port: 8080 },
						periodSeconds: 1,
						failureThreshold: 2,
					},
				}),
			},
		],
		volumes: [{ name: "app", configMap: { name: "app" } }],
	};
}

function deployment(app: string, version: string, replicas: number): object {
	const labels = { app, version };
	return {
		apiVersion: "apps/v1",
		kind: "Deployment",
		metadata: { name: `${app}-${version}` },
		spec: {
			replicas,
			selector: { matchLabels: labels },
			template: { metadata: { labels }, spec: podSpec(["serve"], version) },
		},
	};
}

/** A pod of the sample, by its service and version. */
function bookinfo(what: string): object {
	const [name = "", version = ""] = what.split(" ");
	const pod = `${name}-${version}`;
	const command = ["/usr/bin/node", `/app/${name}.ts`, "--listen"];
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: {
			name: pod,
			namespace: "default",
			labels: { app: name, version, bookinfo: "" },
		},
		spec: {
			serviceAccountName: `bookinfo-${name}`,
			containers: [
				{
					name: "app",
					image: LATEEN_IMAGE,
					imagePullPolicy: "Never",
					command: [
						...command,
						"0.0.0.0:9080",
						"--version",
						version,
						"--pod",
						pod,
					],
					ports: [{ name: "http", containerPort: 9080 }],
					volumeMounts: [{ name: "app", mountPath: "/app" }],
					readinessProbe: { tcpSocket: { port: "http" }, periodSeconds: 1 },
				},
			],
			volumes: [{ name: "app", configMap: { name: "bookinfo" } }],
		},
	};
}

function job(): object {
	return {
		apiVersion: "batch/v1",
		kind: "Job",
		metadata: { name: "once" },
		spec: {
			backoffLimit: 0,
			template: {
				spec: { ...podSpec(["ask", "http://web/"]), restartPolicy: "Never" },
			},
		},
	};
}
