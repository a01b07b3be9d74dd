import {
	ensureKubernetes,
	ensureNodePrograms,
} from "../../ensure-kubernetes.ts";
import { ensureNodePackages } from "../../ensure-node-packages.ts";
import { say } from "../../programs/say.ts";
import type { ControlPlaneOptions } from "../control-plane.ts";
import { checkMachine } from "./check-machine.ts";
import type { ClusterWithNode } from "./cluster-with-node.ts";
import { startKindCluster, whyNoKind } from "./kind-cluster.ts";
import { NodeCluster } from "./node-cluster.ts";

/**
 * Starts a cluster that pods run in, in a folder: with kind where Docker's daemon
 * answers and kind is there, else with a node on this machine. Says which and
 * why. Throws `ClusterError` and `MissingPrerequisite`, which is `NoNodeHere`
 * where installing something would not help.
 */
export async function startClusterWithNode(
	dir: string,
	/** Only for a node on this machine. */
	options: Omit<ControlPlaneOptions, "node"> = {},
	signal?: AbortSignal,
): Promise<ClusterWithNode> {
	const why = await whyNoKind();
	if (why === undefined) {
		say("Making a cluster with kind.");
		const { kubectl } = await ensureKubernetes(signal);
		return await startKindCluster(dir, kubectl, signal);
	}
	say(`The node is made on this machine, in namespaces of its own: ${why}.`);
	// Cheap things first: what is missing is said before minutes of building.
	const packages = await ensureNodePackages();
	await checkMachine(packages.path);
	const programs = await ensureNodePrograms(signal);
	return await NodeCluster.start(dir, { programs, packages, options, signal });
}
