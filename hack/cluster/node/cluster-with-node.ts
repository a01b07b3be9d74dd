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
	const [file, args] = command(node, archive);
	try {
		await run(file, args);
	} catch (error) {
		const said =
			error instanceof Error && "stderr" in error ? error.stderr : error;
		throw new ClusterError(
			`The node does not take ${archive}: ${String(said).trim()}`,
		);
	}
}

/** The words before a command that is to run in a node's namespaces; not for kind's. */
export function enterNode(pid: number): readonly string[] {
	return [
		...["nsenter", `--target=${pid}`, "--mount", "--net", "--pid", "--ipc"],
		...["--uts", "--"],
	];
}

function command(node: NodeRef, archive: string): [string, readonly string[]] {
	switch (node.sort) {
		case "namespaces": {
			const [nsenter = "", ...words] = enterNode(node.pid);
			return [
				nsenter,
				[...words, "ctr", "-n", "k8s.io", "images", "import", archive],
			];
		}
		case "kind":
			return ["kind", ["load", "image-archive", archive, "--name", node.name]];
	}
}
