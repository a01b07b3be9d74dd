import type { KindCluster } from "../test/testkit/kind-cluster.ts";
import { KindNamespace } from "../test/testkit/kind-namespace.ts";
import {
	appObject,
	listOf,
	podObject,
	serviceObject,
} from "../test/testkit/kind-objects.ts";
import { kubectl } from "../test/testkit/kube-cluster.ts";
import { say } from "./say.ts";

/** What a proxy that starts while there are so many Services keeps in memory, in megabytes, once its pod is ready. */
export async function measureProxyMemory(
	cluster: KindCluster,
	services: number,
): Promise<number> {
	say(`Memory of a proxy with ${services} Services.`);
	await using others = await KindNamespace.make(cluster, "plain");
	await using meshed = await KindNamespace.make(cluster, "meshed");
	await kubectl(
		cluster,
		["create", "--namespace", others.name, "-f", "-"],
		listOf(
			Array.from({ length: services }, (_, index) => [
				serviceObject(`s${index}`),
				slice(`s${index}`, index),
			]).flat(),
		),
	);
	await meshed.apply(appObject(), podObject("client"));
	await meshed.ready("pod/client");
	const status = await meshed.kubectl(
		...["exec", "client", "-c", "lateen-proxy", "--"],
		...["cat", "/proc/1/status"],
	);
	const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
	if (kilobytes === undefined) throw new Error(`No memory in ${status}`);
	return (Number(kilobytes) * 1024) / 1e6;
}

/** Two endpoints that nobody asks. */
function slice(service: string, index: number): object {
	const address = (last: number): string =>
		`192.0.2.${((2 * index + last) % 250) + 1}`;
	return {
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: {
			name: `${service}-hand-made`,
			labels: { "kubernetes.io/service-name": service },
		},
		addressType: "IPv4",
		ports: [{ name: "http", port: 8080 }],
		endpoints: [0, 1].map((last) => ({
			addresses: [address(last)],
			conditions: { ready: true },
		})),
	};
}
