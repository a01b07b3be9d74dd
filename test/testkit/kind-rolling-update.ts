import { expect } from "chai";
import { eventually } from "./eventually.ts";
import type { KindCluster } from "./kind-cluster.ts";
import { loadWhile } from "./kind-load.ts";
import { KindNamespace } from "./kind-namespace.ts";
import {
	appObject,
	deploymentObject,
	podObject,
	serviceObject,
} from "./kind-objects.ts";
import type { Load } from "./pod-app.ts";

const APPS = ["first", "second", "third"] as const;
const REPLICAS = 3;

/** What came of a rolling update, by what the caller has. */
export interface RollingUpdate {
	readonly meshed: Load;
	readonly plain: Load;
}

/**
 * Rolls three Deployments of three meshed pods each at the same time, while a
 * pod with a proxy and one without ask them all, each for half of `rate`
 * requests a second. Lateen is installed already.
 */
export async function rollUnderLoad(
	cluster: KindCluster,
	rate: number,
): Promise<RollingUpdate> {
	await using meshed = await KindNamespace.make(cluster, "meshed");
	await using plain = await KindNamespace.make(cluster, "plain");
	const deployments = APPS.map((app) => `deployment/${app}-v1`);
	await meshed.apply(
		...[appObject(), podObject("client")],
		...APPS.map((app) => serviceObject(app)),
		...APPS.map((app) => deploymentObject(app, "v1", REPLICAS)),
	);
	await plain.apply(appObject(), podObject("client"));
	await meshed.ready(...deployments, "pod/client");
	await plain.ready("pod/client");
	const before = await meshed.podsOf("version=v1");
	const half = { pod: "client", rate: rate / 2 };
	const [fromMeshed, fromPlain] = await loadWhile(
		[
			{
				...half,
				namespace: meshed,
				urls: APPS.map((app) => `http://${app}/`),
			},
			{
				...half,
				namespace: plain,
				urls: APPS.map((app) => `http://${app}.${meshed.name}/`),
			},
		],
		async () => {
			await meshed.kubectl("rollout", "restart", ...deployments);
			await meshed.ready(...deployments);
			await eventually(async () => {
				const now = await meshed.podsOf("version=v1");
				expect(now).to.have.lengthOf(APPS.length * REPLICAS);
				for (const pod of before) expect(now).not.to.include(pod);
			}, 240_000);
		},
	);
	return { meshed: fromMeshed, plain: fromPlain };
}
