import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect } from "chai";
import { eventually } from "../testkit/eventually.ts";
import {
	type KindCluster,
	loadProbe,
	PROBE_IMAGE,
	sharedKindCluster,
} from "../testkit/kind-cluster.ts";
import { kubectl, newNamespace } from "../testkit/kube-cluster.ts";

/** Readiness, endpoints and kube-proxy's rules follow each other. */
const PATIENCE_MS = 60_000;

describe("a cluster with a node", () => {
	let cluster: KindCluster;
	let namespace: string;
	const ask = (args: readonly string[], input?: string): Promise<string> =>
		kubectl(cluster, ["--namespace", namespace, ...args], input);
	const get = (url: string, from = "client"): Promise<string> =>
		ask(["exec", from, "-c", "probe", "--", "/bin/probe", "get", url]);

	before(async () => {
		cluster = await sharedKindCluster();
		await loadProbe(cluster);
		namespace = await newNamespace(cluster);
		await ask(["apply", "-f", "-"], list(client(), web(), service()));
		await ask(["rollout", "status", "deployment/web", "--timeout=120s"]);
		await ask([
			"wait",
			"pod/client",
			"--for=condition=Ready",
			"--timeout=120s",
		]);
	});

	it("has one node, which is ready", async () => {
		const nodes = await ask([
			...["get", "nodes", "-o"],
			`jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{end}`,
		]);
		expect(nodes).to.equal("True");
	});

	it("answers at a Service's address from all of its pods", async () => {
		const address = await ask([
			...["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"],
		]);
		const pods = await ask([
			...["get", "pods", "-l", "app=web", "-o"],
			'jsonpath={range .items[*]}web {.metadata.name}{"\\n"}{end}',
		]);
		const answers = new Set<string>();
		await eventually(async () => {
			answers.add(await get(`http://${address}/`));
			expect([...answers].join("")).to.have.lengthOf(pods.length);
		}, PATIENCE_MS);
		expect([...answers].sort().join("")).to.equal(
			`${pods.trim().split("\n").sort().join("\n")}\n`,
		);
	});

	for (const name of [
		"web",
		"web.NAMESPACE",
		"web.NAMESPACE.svc.cluster.local",
	]) {
		it(`answers at the name ${name}`, async () => {
			const url = `http://${name.replace("NAMESPACE", namespace)}/`;
			expect(await eventually(() => get(url), PATIENCE_MS)).to.match(
				/^web web-/,
			);
		});
	}

	it("knows no names that are not there", async () => {
		await expectFailure(get("http://nobody.example/"), "no such host");
	});

	it("lets a pod call itself through its Service", async () => {
		await ask(["apply", "-f", "-"], list(service("self", "client", 8080)));
		const answer = await eventually(() => get("http://self/"), PATIENCE_MS);
		expect(answer).to.equal("client client\n");
	});

	it("lets a pod reach the API server, with what it was given to trust", async () => {
		const answer = await eventually(
			() => get("https://kubernetes.default.svc/readyz"),
			PATIENCE_MS,
		);
		expect(answer).to.equal("ok");
	});

	it("answers over IPv6 where a Service asks for it", async function () {
		const addresses = await ask([
			...["get", "pod", "client", "-o", "jsonpath={.status.podIPs[*].ip}"],
		]);
		if (!addresses.includes(":")) this.skip();
		const both = {
			...service("both"),
			spec: {
				selector: { app: "web" },
				ports: [{ port: 80, targetPort: 8080 }],
				ipFamilyPolicy: "RequireDualStack",
			},
		};
		await ask(["apply", "-f", "-"], list(both));
		const address = await ask([
			...["get", "service", "both", "-o", "jsonpath={.spec.clusterIPs[1]}"],
		]);
		const answer = await eventually(
			() => get(`http://[${address}]/`),
			PATIENCE_MS,
		);
		expect(answer).to.match(/^web web-/);
	});

	it("prints the logs of a pod", async () => {
		expect(await ask(["logs", "client"])).to.equal("serving on :8080\n");
	});

	it("sends nothing to a pod that is not ready", async () => {
		const never = pod("never", ["serve", ":8080", "never"], {
			readinessProbe: { tcpSocket: { port: 81 }, periodSeconds: 1 },
		});
		await ask(
			["apply", "-f", "-"],
			list(never, service("never", "never", 8080)),
		);
		await ask([
			...["wait", "pod/never", "--timeout=120s"],
			"--for=jsonpath={.status.containerStatuses[0].started}=true",
		]);
		const ready = await eventually(async () => {
			const found = await ask([
				...["get", "endpointslices", "-o"],
				...["jsonpath={.items[*].endpoints[*].conditions.ready}"],
				...["-l", "kubernetes.io/service-name=never"],
			]);
			expect(found).not.to.equal("");
			return found;
		}, PATIENCE_MS);
		expect(ready).to.equal("false");
		await expectFailure(get("http://never/"), "refused");
	});

	it("lets an init container with two capabilities redirect what its pod sends", async () => {
		const captured = {
			apiVersion: "v1",
			kind: "Pod",
			metadata: { name: "captured" },
			spec: {
				initContainers: [
					{
						...container(""),
						name: "capture",
						command: ["/usr/sbin/iptables"],
						args: [
							...["-t", "nat", "-A", "OUTPUT", "-p", "tcp"],
							...["-d", "192.0.2.1", "--dport", "80"],
							...["-j", "REDIRECT", "--to-ports", "8080"],
						],
						securityContext: {
							capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_RAW"] },
							readOnlyRootFilesystem: true,
						},
					},
				],
				containers: [container("serve", ":8080", "captured")],
				terminationGracePeriodSeconds: 0,
			},
		};
		await ask(["apply", "-f", "-"], list(captured));
		await ask([
			...["wait", "pod/captured", "--for=condition=Ready", "--timeout=120s"],
		]);
		expect(await get("http://192.0.2.1/", "captured")).to.equal(
			"captured captured\n",
		);
		await expectFailure(get("http://192.0.2.1/"), "unreachable");
	});

	it("forwards a port of this machine to a pod", async () => {
		const forward = spawn(
			cluster.kubectl,
			[
				...["--kubeconfig", cluster.kubeconfig, "--namespace", namespace],
				...["port-forward", "pod/client", ":8080", "--address=127.0.0.1"],
			],
			{ stdio: ["ignore", "pipe", "inherit"] },
		);
		try {
			const [line] = (await once(createInterface(forward.stdout), "line")) as [
				string,
			];
			const address = /^Forwarding from (\S+)/.exec(line)?.[1];
			const answer = await fetch(`http://${address}/`);
			expect(await answer.text()).to.equal("client client\n");
		} finally {
			forward.kill();
			await once(forward, "exit");
		}
	});
});

async function expectFailure(
	doing: Promise<unknown>,
	with_: string,
): Promise<void> {
	const message = await doing.then(
		() => "It succeeded.",
		(error: unknown) => String(error),
	);
	expect(message).to.contain(with_);
}

function list(...objects: readonly object[]): string {
	return JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
}

function container(...args: readonly string[]): object {
	return {
		name: "probe",
		image: PROBE_IMAGE,
		imagePullPolicy: "Never",
		args,
		env: [
			{
				name: "SSL_CERT_FILE",
				value: "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
			},
		],
	};
}

function pod(name: string, args: readonly string[], more: object = {}): object {
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, labels: { app: name } },
		spec: {
			containers: [{ ...container(...args), ...more }],
			terminationGracePeriodSeconds: 0,
		},
	};
}

function client(): object {
	return pod("client", ["serve", ":8080", "client"]);
}

function web(): object {
	return {
		apiVersion: "apps/v1",
		kind: "Deployment",
		metadata: { name: "web" },
		spec: {
			replicas: 2,
			selector: { matchLabels: { app: "web" } },
			template: {
				metadata: { labels: { app: "web" } },
				spec: {
					containers: [
						{
							...container("serve", ":8080", "web"),
							readinessProbe: {
								httpGet: { path: "/", port: 8080 },
								periodSeconds: 1,
							},
						},
					],
					terminationGracePeriodSeconds: 0,
				},
			},
		},
	};
}

function service(name = "web", app = "web", targetPort = 8080): object {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name },
		spec: { selector: { app }, ports: [{ port: 80, targetPort }] },
	};
}
