import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { loadKubeConfig } from "../../src/kube/kube-config.ts";
import { openConnection } from "../../src/kube/open-connection.ts";
import { resources } from "../../src/kube/resources.ts";
import { watch } from "../../src/kube/watcher.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { ClusterReplica, type ReplicaOptions } from "./cluster-replica.ts";
import { type KubeCluster, kubectl, newNamespace } from "./kube-cluster.ts";
import { WireProxy } from "./wire-proxy.ts";

/** A condition with the generation that it is about, as it was seen on an object. */
export interface SeenCondition {
	/** `metadata.generation` of the object. */
	readonly generation: number;
	/** The generation that the condition is about. */
	readonly about: number;
	readonly status: string;
	readonly reason: string;
	readonly message: string;
}

/** A Service `web` with some pods, and replicas that serve them; disposing of it ends all of it. */
export class ClusterWorld implements AsyncDisposable {
	readonly cluster: KubeCluster;
	/** Where the objects are. */
	readonly namespace: string;
	/** Where Lateen is. */
	readonly own: string;
	readonly #replicas: ClusterReplica[] = [];
	readonly #proxies: WireProxy[] = [];
	readonly #children: ChildProcess[] = [];

	private constructor(cluster: KubeCluster, namespace: string, own: string) {
		this.cluster = cluster;
		this.namespace = namespace;
		this.own = own;
	}

	/** Makes the namespaces, the Service, and pods `web-1` to `web-<pods>`. */
	static async create(cluster: KubeCluster, pods = 3): Promise<ClusterWorld> {
		const world = new ClusterWorld(
			cluster,
			await newNamespace(cluster),
			await newNamespace(cluster),
		);
		const numbers = Array.from({ length: pods }, (_, at) => at + 1);
		await world.apply(`apiVersion: v1
kind: ServiceAccount
metadata: {name: default}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080, appProtocol: http}]
${numbers
	.map(
		(number) => `---
apiVersion: v1
kind: Pod
metadata: {name: web-${number}, labels: {app: web}}
spec:
  serviceAccountName: default
  containers: [{name: web, image: web}]
`,
	)
	.join("")}---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-1
  labels: {kubernetes.io/service-name: web}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
${numbers
	.map(
		(number) =>
			`- {addresses: [10.1.0.${number}], conditions: {ready: true}, targetRef: {kind: Pod, name: web-${number}, namespace: ${world.namespace}}}`,
	)
	.join("\n")}
`);
		for (const number of numbers)
			await world.kubectl(
				...["patch", "pod", `web-${number}`, "--subresource=status"],
				...["--type=merge", "-p"],
				JSON.stringify({
					status: {
						phase: "Running",
						podIP: `10.1.0.${number}`,
						podIPs: [{ ip: `10.1.0.${number}` }],
					},
				}),
			);
		return world;
	}

	/** Runs kubectl in the namespace of the objects. */
	kubectl(...words: readonly string[]): Promise<string> {
		return kubectl(this.cluster, ["-n", this.namespace, ...words]);
	}

	/** Applies YAML. */
	async apply(yaml: string): Promise<void> {
		await kubectl(
			this.cluster,
			["-n", this.namespace, "apply", "-f", "-"],
			yaml,
		);
	}

	/** Applies a rule that answers requests to `web` with this text. */
	async answer(text: string, name = "web"): Promise<void> {
		await this.apply(`apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: ${name}}
spec:
  destination: {name: web}
  match: [{path: {exact: /${name}}}]
  respond: {status: 200, body: ${JSON.stringify(text)}}
`);
	}

	/** Waits as people do. */
	async wait(rule: string, condition: string, seconds = 15): Promise<void> {
		await this.kubectl(
			...["wait", `--for=condition=${condition}`, `routerule/${rule}`],
			`--timeout=${seconds}s`,
		);
	}

	/** A condition of a rule as it is now. */
	async condition(
		rule: string,
		type = "Programmed",
	): Promise<SeenCondition | undefined> {
		const object = JSON.parse(
			await this.kubectl("get", "routerule", rule, "-o", "json"),
		) as RuleObject;
		return seenIn(object, type);
	}

	/** Every state of a condition of a rule from now on, as they come. */
	follow(rule: string, type = "Programmed"): readonly SeenCondition[] {
		const seen: SeenCondition[] = [];
		const child = spawn(
			this.cluster.kubectl,
			[
				...["--kubeconfig", this.cluster.kubeconfig, "-n", this.namespace],
				...["get", "routerule", rule, "--watch", "-o"],
				"jsonpath={@}{'\\n'}",
			],
			{ stdio: ["ignore", "pipe", "ignore"] },
		);
		this.#children.push(child);
		createInterface({ input: child.stdout }).on("line", (line) => {
			const condition = seenIn(JSON.parse(line) as RuleObject, type);
			if (condition !== undefined) seen.push(condition);
		});
		return seen;
	}

	/** Hears of every state of `Programmed` of a rule as soon as the API server tells; answers how to end that. */
	async watchRule(
		rule: string,
		listener: (seen: SeenCondition) => void,
	): Promise<() => Promise<void>> {
		const access = await loadKubeConfig({
			kubeconfig: this.cluster.kubeconfig,
			environment: {},
			clock: systemClock,
		});
		const connection = openConnection(access, {
			clock: systemClock,
			userAgent: "lateen-test",
		});
		const stopping = new AbortController();
		const watcher = watch<SeenCondition | undefined>({
			connection,
			resource: resources.RouteRule,
			namespace: this.namespace,
			fieldSelector: `metadata.name=${rule}`,
			project: (object) => seenIn(object as never, "Programmed"),
			onChange: (change) => {
				if (change.type === "listed") return;
				for (const { op, value } of change.changes)
					if (op === "put" && value !== undefined) listener(value);
			},
			clock: systemClock,
			logger: silentLogger,
		});
		const running = watcher.run(stopping.signal);
		return async () => {
			stopping.abort();
			await running;
			await connection[Symbol.asyncDispose]();
		};
	}

	/** Starts a replica and waits until it is ready. */
	async replica(
		name: string,
		options: Pick<
			ReplicaOptions,
			"kubeconfig" | "webhookListen" | "nodeFlags"
		> = {},
	): Promise<ClusterReplica> {
		const replica = await ClusterReplica.start({
			...options,
			cluster: this.cluster,
			namespace: this.own,
			name,
		});
		this.#replicas.push(replica);
		return replica;
	}

	/** A sidecar of a pod, connected to a replica. */
	async proxy(
		replica: ClusterReplica,
		pod: string,
		version = "1.40.0",
	): Promise<WireProxy> {
		const workload = `${this.namespace}/${pod}`;
		await replica.admit(workload);
		const proxy = new WireProxy(replica, workload, version);
		this.#proxies.push(proxy);
		proxy.connect();
		await proxy.until((one) => one.isKnown);
		return proxy;
	}

	/** Ends the replicas and proxies and leaves the objects: for a cluster that ends with them. */
	async end(): Promise<void> {
		for (const child of this.#children) child.kill();
		for (const proxy of this.#proxies) proxy.cut();
		for (const replica of this.#replicas) await replica[Symbol.asyncDispose]();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.end();
		await this.kubectl("delete", "routerules,externalservices", "--all");
	}
}

interface RuleObject {
	readonly metadata: { readonly generation: number };
	readonly status?: {
		readonly conditions?: readonly {
			readonly type: string;
			readonly status: string;
			readonly reason: string;
			readonly message: string;
			readonly observedGeneration: number;
		}[];
	};
}

function seenIn(
	{ metadata, status }: RuleObject,
	type: string,
): SeenCondition | undefined {
	const found = status?.conditions?.find((one) => one.type === type);
	return (
		found && {
			generation: metadata.generation,
			about: found.observedGeneration,
			status: found.status,
			reason: found.reason,
			message: found.message,
		}
	);
}
