import { recordIn, textIn } from "../../injector/json.ts";
import { names } from "../../injector/names.ts";
import { resources } from "../../kube/resources.ts";
import { injectLabel } from "../../reconcilers/injection-registration.ts";
import { programVersion } from "../../settings/program-version.ts";
import { type Finding, fewOf } from "./finding.ts";
import type { ApiServer } from "./open-api-server.ts";

type Said = Omit<Finding, "about">;

/** Pods that have ended have no proxy any more. */
const fieldSelector = "status.phase!=Succeeded,status.phase!=Failed";

/** Namespaces that are never injected, besides Lateen's own. */
const exempt = ["kube-system", "kube-public", "kube-node-lease"];

/** Which pods of namespaces that ask for injection have no proxy, and which have one of another version. */
export async function checkPods(
	{ client }: ApiServer,
	own: string,
): Promise<readonly Said[]> {
	const without: string[] = [];
	const labelSelector = `${injectLabel}=true`;
	const asking = client.listAll(resources.Namespace, { labelSelector });
	for await (const { metadata } of asking) {
		const namespace = metadata.name;
		if ([...exempt, own].includes(namespace)) continue;
		const pods = client.listAll(
			resources.Pod,
			{ namespace, fieldSelector },
			{ metadataOnly: true },
		);
		for await (const pod of pods)
			if (isForgotten(pod.content))
				without.push(`${namespace}/${pod.metadata.name}`);
	}
	const others = new Map<string, string[]>();
	let injected = 0;
	const pods = client.listAll(
		resources.Pod,
		{ labelSelector: names.injectedLabel, fieldSelector },
		{ metadataOnly: true },
	);
	for await (const { metadata, content } of pods) {
		injected += 1;
		const labels = recordIn(recordIn(content, "metadata"), "labels");
		const version = textIn(labels, names.injectedLabel);
		if (version === programVersion) continue;
		const list = others.get(version) ?? [];
		list.push(`${metadata.namespace}/${metadata.name}`);
		others.set(version, list);
	}
	const said: Said[] = [];
	if (without.length > 0)
		said.push({
			verdict: "warning",
			message: `${without.length} pods of namespaces that ask for injection have no proxy: ${fewOf(without)}. They were made before; \`kubectl rollout restart\` of what makes them gives them one.`,
		});
	for (const [version, list] of others)
		said.push({
			verdict: "warning",
			message: `${list.length} pods have the proxy of version ${version}: ${fewOf(list)}. \`kubectl rollout restart\` of what makes them gives them that of ${programVersion}.`,
		});
	return said.length > 0
		? said
		: [
				{
					verdict: "ok",
					message: `${injected} pods have a proxy of this version, and none that should have one is without.`,
				},
			];
}

/** Whether a pod neither has a proxy nor says why. */
function isForgotten(content: unknown): boolean {
	const metadata = recordIn(content, "metadata");
	const labels = recordIn(metadata, "labels");
	const annotations = recordIn(metadata, "annotations");
	return (
		textIn(labels, names.injectedLabel) === "" &&
		textIn(labels, injectLabel) !== "false" &&
		textIn(annotations, injectLabel) !== "false" &&
		textIn(annotations, names.notInjectedAnnotation) === "" &&
		textIn(annotations, "kubernetes.io/config.mirror") === "" &&
		textIn(metadata, "deletionTimestamp") === ""
	);
}
