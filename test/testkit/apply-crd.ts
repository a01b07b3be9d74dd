import { eventually } from "./eventually.ts";
import { type KubeCluster, kubectl } from "./kube-cluster.ts";

/** Applies a CRD and waits until the API server has taken its kind. */
export async function applyCrd(
	cluster: KubeCluster,
	crd: unknown,
): Promise<void> {
	const text = JSON.stringify(crd);
	await kubectl(cluster, ["apply", "--server-side", "-f", "-"], text);
	// A CRD that was made just now has no conditions yet, which kubectl takes for a mistake.
	await eventually(() =>
		kubectl(cluster, ["wait", "--for=condition=Established", "-f", "-"], text),
	);
}
