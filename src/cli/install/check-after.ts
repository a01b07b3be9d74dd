import { numberIn, recordIn, recordsIn, textIn } from "../../injector/json.ts";
import { resources } from "../../kube/resources.ts";
import { serverTime } from "../../kube/server-time.ts";
import { programVersion } from "../../settings/program-version.ts";
import { checkCrds } from "./check-crds.ts";
import { checkPodSecurity } from "./check-pod-security.ts";
import { checkPods } from "./check-pods.ts";
import { checkServerVersion } from "./check-server-version.ts";
import { checkWebhooks } from "./check-webhooks.ts";
import { findObject } from "./find-object.ts";
import { type Finding, findings, type Said } from "./finding.ts";
import type { Manifest } from "./manifest.ts";
import type { ApiServer } from "./open-api-server.ts";
import { installResources } from "./resource-of.ts";

/** Whether an installation works, and whether pods have proxies of this version. */
export async function checkAfter(
	objects: readonly Manifest[],
	server: ApiServer,
	namespace: string,
): Promise<readonly Finding[]> {
	const all = await Promise.all([
		findings("API server", () => checkServerVersion(server)),
		findings("CRDs", () => checkCrds(objects, server, true)),
		findings("Deployment", () => checkDeployment(server, namespace)),
		findings("leader", () => checkLeader(server, namespace)),
		findings("webhooks", () => checkWebhooks(server, namespace)),
		findings("Pod Security", () => checkPodSecurity(server)),
		findings("pods", () => checkPods(server, namespace)),
	]);
	return all.flat();
}

/** Whether replicas are ready, and of this version as far as their image says. */
async function checkDeployment(
	{ client }: ApiServer,
	namespace: string,
): Promise<readonly Said[]> {
	const found = await findObject(client, installResources.Deployment, {
		...{ namespace, name: "lateen" },
	});
	if (found === undefined)
		return [
			{
				verdict: "problem",
				message: `There is no Deployment lateen in ${namespace}. Name the namespace of Lateen with --namespace, or install it: \`lateen install | kubectl apply --server-side -f -\`.`,
			},
		];
	const spec = recordIn(found, "spec");
	const status = recordIn(found, "status");
	const wanted = numberIn(spec, "replicas") ?? 1;
	const available = numberIn(status, "availableReplicas") ?? 0;
	const updated = numberIn(status, "updatedReplicas") ?? 0;
	const isSeen =
		(numberIn(status, "observedGeneration") ?? 0) >=
		(numberIn(recordIn(found, "metadata"), "generation") ?? 0);
	const remedy = `\`kubectl -n ${namespace} describe deployment,pods -l app=lateen\` says why.`;
	const ready = `${available} of ${wanted} replicas are available`;
	const said: Said[] = [];
	if (available === 0)
		said.push({ verdict: "problem", message: `${ready}. ${remedy}` });
	else if (available < wanted)
		said.push({ verdict: "warning", message: `${ready}. ${remedy}` });
	else if (!isSeen || updated < wanted)
		said.push({
			verdict: "warning",
			message: `${ready}, and ${updated} are of the newest form: it is being rolled out.`,
		});
	else said.push({ verdict: "ok", message: `${ready}.` });
	const skew = skewOf(spec);
	if (skew !== undefined)
		said.push({
			verdict: "warning",
			message: `The control plane is ${skew}, and this program ${programVersion}. Use the same version, so that both mean the same.`,
		});
	return said;
}

/** The version that the image is tagged with, where that is another one. */
function skewOf(spec: unknown): string | undefined {
	const template = recordIn(recordIn(spec, "template"), "spec");
	const [container] = recordsIn(template, "containers");
	const [, version] =
		/:v?(\d+\.\d+\.\d+[^@/]*)(@|$)/.exec(textIn(container, "image")) ?? [];
	return version === programVersion ? undefined : version;
}

/** Whether one replica leads now, by the API server's clock. */
async function checkLeader(
	{ client, connection }: ApiServer,
	namespace: string,
): Promise<readonly Said[]> {
	const found = await findObject(client, resources.Lease, {
		...{ namespace, name: "lateen-leader" },
	});
	const spec = recordIn(found, "spec");
	const holder = textIn(spec, "holderIdentity");
	if (holder === "")
		return [
			{
				verdict: "problem",
				message:
					"No replica leads, so no status is written. A ready replica takes the lead within seconds.",
			},
		];
	const nowMs = await serverTime(connection, new AbortController().signal);
	const idleMs = nowMs - Date.parse(textIn(spec, "renewTime"));
	const lastsMs = (numberIn(spec, "leaseDurationSeconds") ?? 15) * 1000;
	if (!(idleMs <= lastsMs))
		return [
			{
				verdict: "problem",
				message: `${holder} led, and has not said so for ${Math.round(idleMs / 1000)} s. A ready replica takes over by itself; see that there is one.`,
			},
		];
	return [{ verdict: "ok", message: `${holder} leads.` }];
}
