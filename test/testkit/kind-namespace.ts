import { expect } from "chai";
import type { KindCluster } from "./kind-cluster.ts";
import { listOf } from "./kind-objects.ts";
import { kubectl, newNamespace } from "./kube-cluster.ts";
import type { Seen } from "./pod-app.ts";

/** Pods that get ready on a busy machine. */
const READY = "--timeout=180s";

/** A namespace of a test's own in a cluster that pods run in; it is deleted when it is disposed, without waiting for its pods. */
export class KindNamespace implements AsyncDisposable {
	readonly cluster: KindCluster;
	readonly name: string;

	private constructor(cluster: KindCluster, name: string) {
		this.cluster = cluster;
		this.name = name;
	}

	/** Makes one whose pods get proxies, or none. */
	static async make(
		cluster: KindCluster,
		pods: "meshed" | "plain",
	): Promise<KindNamespace> {
		const name = await newNamespace(cluster);
		if (pods === "meshed") {
			await kubectl(cluster, [
				...["label", "namespace", name, "lateen.dev/inject=true"],
			]);
		}
		return new KindNamespace(cluster, name);
	}

	/** Runs kubectl in it. */
	async kubectl(...args: readonly string[]): Promise<string> {
		return await kubectl(this.cluster, ["--namespace", this.name, ...args]);
	}

	/** Applies objects to it. */
	async apply(...objects: readonly object[]): Promise<void> {
		await kubectl(
			this.cluster,
			["--namespace", this.name, "apply", "-f", "-"],
			listOf(objects),
		);
	}

	/** What is said to objects that are refused. */
	async refusalOf(...objects: readonly object[]): Promise<string> {
		return await this.apply(...objects).then(
			() => "It was taken.",
			(error: unknown) => String(error),
		);
	}

	/** Waits until pods (`pod/NAME`) are ready and Deployments (`deployment/NAME`) have rolled out. */
	async ready(...names: readonly string[]): Promise<void> {
		for (const name of names) {
			await (name.startsWith("deployment/")
				? this.kubectl("rollout", "status", name, READY)
				: this.kubectl("wait", name, "--for=condition=Ready", READY));
		}
	}

	/** The names of the pods with labels, such as `app=web`. */
	async podsOf(selector: string): Promise<readonly string[]> {
		const names = await this.kubectl(
			...["get", "pods", "-l", selector, "-o"],
			'jsonpath={range .items[*]}{.metadata.name}{"\\n"}{end}',
		);
		return names.split("\n").filter((name) => name !== "");
	}

	/** Runs the application's program (`pod-app.ts`) in a pod. */
	async run(pod: string, ...args: readonly string[]): Promise<string> {
		return await this.kubectl(
			...["exec", pod, "-c", "app", "--"],
			...["/usr/bin/node", "/app/pod-app.ts", ...args],
		);
	}

	/** Asks from a pod, expects 200, and returns what the application that answered saw. */
	async ask(
		pod: string,
		url: string,
		...header: readonly string[]
	): Promise<Seen> {
		const answer = await this.run(pod, "ask", url, ...header);
		expect(answer).to.match(/^200 /);
		return JSON.parse(answer.slice(4)) as Seen;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await kubectl(this.cluster, [
			...["delete", "namespace", this.name, "--wait=false"],
		]);
	}
}
