import type { KindCluster } from "../test/testkit/kind-cluster.ts";
import { KindNamespace } from "../test/testkit/kind-namespace.ts";
import { podObject } from "../test/testkit/kind-objects.ts";
import { ApiClient } from "../test/testkit/kube-cluster.ts";
import { say } from "./say.ts";

/** How long the API server takes to take a pod, in milliseconds. */
export interface PodCreations {
	readonly plain: readonly number[];
	/** With the webhook, on its connection over TLS. */
	readonly meshed: readonly number[];
}

/** Has the API server take pods in turns in a namespace without injection and in one with; none of them is kept. */
export async function measureCreations(
	cluster: KindCluster,
	pods: number,
): Promise<PodCreations> {
	say(`Injection of ${pods} pods.`);
	await using meshed = await KindNamespace.make(cluster, "meshed");
	await using plain = await KindNamespace.make(cluster, "plain");
	using client = await ApiClient.of({ ...cluster, auditLog: "" });
	const took = { plain: [] as number[], meshed: [] as number[] };
	const warmUp = 20;
	for (let index = 0; index < pods + warmUp; index += 1) {
		for (const [where, namespace] of [
			["plain", plain],
			["meshed", meshed],
		] as const) {
			const startMs = performance.now();
			const { status, body } = await client.ask(
				"POST",
				`/api/v1/namespaces/${namespace.name}/pods?dryRun=All`,
				podObject("web"),
				// The answer is not to be measured: a large one takes the machine's TCP longer than all the rest.
				{
					accept:
						"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
				},
			);
			const endMs = performance.now();
			if (status !== 201) throw new Error(JSON.stringify(body));
			if (index >= warmUp) took[where].push(endMs - startMs);
		}
	}
	return took;
}
