import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ClusterError } from "../control-plane.ts";

const run = promisify(execFile);

/** Which node it is, for other processes that have to do with it. */
export type NodeRef =
	| {
			readonly sort: "namespaces";
			/** The first process in its namespaces. */
			readonly pid: number;
	  }
	| {
			readonly sort: "kind";
			/** What kind calls its cluster. */
			readonly name: string;
	  };

/** A running cluster that pods run in. */
export interface ClusterWithNode extends AsyncDisposable {
	/** Base address of the API, `https://127.0.0.1:PORT`. */
	readonly server: string;
	/** Path of a kubeconfig of a cluster administrator. */
	readonly kubeconfig: string;
	/** Path of kubectl. */
	readonly kubectl: string;
	/** Path of the audit log; undefined where the cluster keeps it to itself. */
	readonly auditLog: string | undefined;
	readonly node: NodeRef;
	/** When a part ends although nobody asked it to: what happened. */
	readonly crash: Promise<string>;
	/** Ends everything at once; the next start removes what remains. */
	killAll(): void;
}

/** Gives a node the images of a `docker save` archive, for pods with `imagePullPolicy` Never or IfNotPresent. Throws `ClusterError`. */
export async function loadImage(node: NodeRef, archive: string): Promise<void> {
	try {
		switch (node.sort) {
			case "namespaces":
				await runOnNode(node, [...CTR, "images", "import", archive]);
				return;
			case "kind":
				// The node does not see the archive.
				await run("kind", [
					...["load", "image-archive", archive, "--name", node.name],
				]);
				return;
		}
	} catch (error) {
		const said =
			error instanceof Error && "stderr" in error ? error.stderr : error;
		throw new ClusterError(
			`The node does not take ${archive}: ${String(said).trim()}`,
		);
	}
}

/** Kills the first process of a container at once, as the kernel does when memory runs out. `id` is containerd's. */
export async function killContainer(node: NodeRef, id: string): Promise<void> {
	await runOnNode(node, [...CTR, "tasks", "kill", "--signal", "SIGKILL", id]);
}

/**
 * Has the controller manager of a node stand still while something is done, as
 * one does that is far behind: no ReplicaSet makes pods, no EndpointSlice is
 * written. It goes on afterwards, whatever came of it.
 */
export async function withoutControllers<T>(
	node: NodeRef,
	act: () => Promise<T>,
): Promise<T> {
	// The kernel keeps fifteen letters of a program's name.
	const signal = (name: "STOP" | "CONT"): Promise<void> =>
		runOnNode(node, [
			...["sh", "-ec"],
			`found=1
for process in /proc/[0-9]*; do
  read -r program <"$process/comm" 2>/dev/null || continue
  [ "$program" = kube-controller ] || continue
  kill -${name} "\${process#/proc/}"
  found=0
done
exit $found`,
		]);
	await signal("STOP");
	try {
		return await act();
	} finally {
		await signal("CONT");
	}
}

/** The words before a command that is to run in a node's namespaces; not for kind's. */
export function enterNode(pid: number): readonly string[] {
	return [
		...["nsenter", `--target=${pid}`, "--mount", "--net", "--pid", "--ipc"],
		...["--uts", "--"],
	];
}

/** containerd's client, where the kubelet's containers and images are. */
const CTR = ["ctr", "-n", "k8s.io"];

async function runOnNode(
	node: NodeRef,
	words: readonly string[],
): Promise<void> {
	const [program = "", ...args] =
		node.sort === "kind"
			? ["docker", "exec", `${node.name}-control-plane`, ...words]
			: [...enterNode(node.pid), ...words];
	await run(program, args);
}
