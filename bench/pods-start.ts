import type { KindCluster } from "../test/testkit/kind-cluster.ts";
import { KindNamespace } from "../test/testkit/kind-namespace.ts";
import {
	appObject,
	jobObject,
	podObject,
	serviceObject,
} from "../test/testkit/kind-objects.ts";
import { say } from "./say.ts";

/** From a pod's creation to the answer to the first request of its application, in milliseconds. */
export interface PodStarts {
	readonly plain: readonly number[];
	readonly meshed: readonly number[];
}

/** Starts pods in turns without a proxy and with one; each asks at its first instant. */
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
	const starts = { plain: [] as number[], meshed: [] as number[] };
	for (let round = 1; round <= rounds; round += 1) {
		say(`Start of pods, round ${round} of ${rounds}.`);
		starts.plain.push(await startOf(plain, `once-${round}`));
		starts.meshed.push(await startOf(meshed, `once-${round}`));
	}
	return starts;
}

async function startOf(
	namespace: KindNamespace,
	name: string,
): Promise<number> {
	await namespace.kubectl("wait", "pod/web", "--for=condition=Ready");
	const startMs = Date.now();
	await namespace.apply(jobObject(name, ["ask", "http://web/"]));
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
