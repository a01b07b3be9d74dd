import { setTimeout } from "node:timers/promises";
import type { KindCluster } from "../test/testkit/kind-cluster.ts";
import { KindNamespace } from "../test/testkit/kind-namespace.ts";
import {
	appObject,
	podObject,
	serviceObject,
} from "../test/testkit/kind-objects.ts";
import { bareOutboundPort, bareService, withBareEnvoy } from "./bare-envoy.ts";
import { say } from "./say.ts";

/** How long the requests of one round took from one pod to another, in microseconds, by what is between the two. */
export interface PodLatencies {
	readonly direct: readonly number[];
	/** Two Envoys with the plainest configuration. */
	readonly bare: readonly number[];
	/** Two proxies that Lateen injected. */
	readonly meshed: readonly number[];
}

/** Asks in turns by the three ways, in one cluster with Lateen, each time `requests` one after the other. */
export async function measureLatencies(
	cluster: KindCluster,
	rounds: number,
	requests: number,
): Promise<readonly PodLatencies[]> {
	await using meshed = await KindNamespace.make(cluster, "meshed");
	await using plain = await KindNamespace.make(cluster, "plain");
	await meshed.apply(
		...[appObject(), serviceObject("web")],
		...[podObject("web"), podObject("client")],
	);
	await plain.apply(
		...[appObject(), serviceObject("web"), bareService("bare-web")],
		...[podObject("web"), podObject("client")],
		...["bare-web", "bare-client"].map((name) =>
			withBareEnvoy(podObject(name), "bare-web"),
		),
	);
	await meshed.ready("pod/web", "pod/client");
	await plain.ready(
		...["pod/web", "pod/client", "pod/bare-web", "pod/bare-client"],
	);
	const ask = async (
		namespace: KindNamespace,
		pod: string,
		url: string,
	): Promise<readonly number[]> => {
		// What the end of one leaves to do is not to be in the next.
		await setTimeout(200);
		const said = await namespace.run(pod, "measure", url, String(requests));
		return JSON.parse(said) as number[];
	};
	const all: PodLatencies[] = [];
	for (let round = 1; round <= rounds; round += 1) {
		say(`Latency, round ${round} of ${rounds}.`);
		const bareUrl = `http://127.0.0.1:${bareOutboundPort}/`;
		all.push({
			direct: await ask(plain, "client", "http://web/"),
			bare: await ask(plain, "bare-client", bareUrl),
			meshed: await ask(meshed, "client", "http://web/"),
		});
	}
	return all;
}
