import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type KindCluster, sharedKindCluster } from "./kind-cluster.ts";
import { installLateen } from "./kind-mesh.ts";
import { KindNamespace } from "./kind-namespace.ts";
import {
	appObject,
	deploymentObject,
	podObject,
	serviceObject,
} from "./kind-objects.ts";
import { kubectl } from "./kube-cluster.ts";

const run = promisify(execFile);
const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** Where connections come from that the proxy of the pod itself makes. */
export const BY_PROXY = "127.0.0.6";

/**
 * What most tests with pods begin with: Lateen as `manifests/` install it, and
 * two namespaces of the test's own.
 *
 *   meshed   pod `client`, Deployments `web-v1` (2 pods) and `web-v2` (1 pod) behind the Services
 *            `web` (HTTP), `headless`, `tcp` (9000) and `grpc` (7000); `client` and `self` lead to the client
 *   plain    pod `client` and its Service, without proxies
 */
export class KindWorld implements AsyncDisposable {
	readonly cluster: KindCluster;
	readonly meshed: KindNamespace;
	readonly plain: KindNamespace;

	private constructor(
		cluster: KindCluster,
		meshed: KindNamespace,
		plain: KindNamespace,
	) {
		this.cluster = cluster;
		this.meshed = meshed;
		this.plain = plain;
	}

	/** Sets it up in the cluster that the files of a test run share, and waits until all pods are ready. */
	static async start(): Promise<KindWorld> {
		const cluster = await sharedKindCluster();
		await installLateen(cluster);
		const meshed = await KindNamespace.make(cluster, "meshed");
		const plain = await KindNamespace.make(cluster, "plain");
		await meshed.apply(
			appObject(),
			serviceObject("web"),
			serviceObject("headless", "web", {
				clusterIP: "None",
				ports: [{ name: "http", port: 8080 }],
			}),
			serviceObject("tcp", "web", { ports: [{ name: "tcp", port: 9000 }] }),
			serviceObject("grpc", "web", { ports: [{ name: "grpc", port: 7000 }] }),
			serviceObject("client"),
			// By its own name a pod knows itself without asking anybody.
			serviceObject("self", "client"),
			podObject("client", { "lateen.dev/exclude-inbound-ports": "8081" }),
			deploymentObject("web", "v1", 2),
			deploymentObject("web", "v2", 1),
		);
		await plain.apply(
			appObject(),
			serviceObject("client"),
			podObject("client"),
		);
		await meshed.ready("deployment/web-v1", "deployment/web-v2", "pod/client");
		await plain.ready("pod/client");
		return new KindWorld(cluster, meshed, plain);
	}

	/** Runs kubectl in the namespace of the controller. */
	async inSystem(...args: readonly string[]): Promise<string> {
		return await kubectl(this.cluster, [
			...["--namespace", "lateen-system", ...args],
		]);
	}

	/** Who leads: a process of a pod, which may be started again under the same name. */
	async leader(): Promise<{ readonly pod: string; readonly process: string }> {
		const process = await this.inSystem(
			...["get", "lease", "lateen-leader", "-o"],
			"jsonpath={.spec.holderIdentity}",
		);
		return { pod: process.split("_")[0] ?? "", process };
	}

	/** What the program prints, as whoever looks after the cluster. */
	async lateen(...args: readonly string[]): Promise<string> {
		const { stdout } = await run(process.execPath, [
			...[MAIN, ...args, "--kubeconfig", this.cluster.kubeconfig],
		]);
		return stdout;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.meshed[Symbol.asyncDispose]();
		await this.plain[Symbol.asyncDispose]();
	}
}
