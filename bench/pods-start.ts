import type { KindCluster } from "../test/testkit/kind-cluster.ts";
import { KindNamespace } from "../test/testkit/kind-namespace.ts";
import {
	appObject,
	jobObject,
	podObject,
	serviceObject,
} from "../test/testkit/kind-objects.ts";
import { bareOutboundPort, bareService, withBareEnvoy } from "./bare-envoy.ts";
import { say } from "./say.ts";

/** From a pod's creation to the answer to the first request of its application, in milliseconds. */
export interface PodStarts {
	readonly plain: readonly number[];
	/** With an init container that does nothing and the plainest Envoy as a native sidecar: what Kubernetes takes for such pods. */
	readonly bare: readonly number[];
	readonly meshed: readonly number[];
}

/** Starts pods in turns without a proxy, with a plain one and with an injected one; each asks at its first instant. */
export async function measureStarts(
	cluster: KindCluster,
	rounds: number,
): Promise<PodStarts> {
	await using meshed = await KindNamespace.make(cluster, "meshed");
	await using plain = await KindNamespace.make(cluster, "plain");
	for (const namespace of [meshed, plain]) {
		await namespace.apply(appObject(), serviceObject("web"), podObject("web"));
		await namespace.ready("pod/web");
	}
	await plain.apply(
		bareService("bare"),
		withBareEnvoy(podObject("bare"), "bare"),
	);
	await plain.ready("pod/bare");
	const starts = {
		plain: [] as number[],
		bare: [] as number[],
		meshed: [] as number[],
	};
	for (let round = 1; round <= rounds; round += 1) {
		say(`Start of pods, round ${round} of ${rounds}.`);
		const web = jobObject(`once-${round}`, ["ask", "http://web/"]);
		starts.plain.push(await startOf(plain, web));
		starts.bare.push(await startOf(plain, bareJob(`bare-${round}`)));
		starts.meshed.push(await startOf(meshed, web));
	}
	return starts;
}

function bareJob(name: string): object {
	const job = jobObject(name, ["ask", `http://127.0.0.1:${bareOutboundPort}/`]);
	const { spec } = job as { readonly spec: { readonly template: object } };
	const template = withBareEnvoy(spec.template, "bare");
	return { ...job, spec: { ...spec, template } };
}

async function startOf(namespace: KindNamespace, job: object): Promise<number> {
	const { name } = (job as { readonly metadata: { readonly name: string } })
		.metadata;
	await namespace.kubectl("wait", "pod/web", "--for=condition=Ready");
	const startMs = Date.now();
	await namespace.apply(job);
	await namespace.kubectl(
		...["wait", `job/${name}`, "--for=condition=Complete", "--timeout=180s"],
	);
	// The runtime writes the time to each line, by the clock of this machine.
	const log = await namespace.kubectl(
		...["logs", `job/${name}`, "-c", "app", "--timestamps"],
	);
	const answered = /^(\S+) 200 /m.exec(log)?.[1];
	if (answered === undefined) throw new Error(`${name} got no answer: ${log}`);
	await namespace.kubectl("delete", "job", name);
	return Date.parse(answered) - startMs;
}
