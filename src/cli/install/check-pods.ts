import { type Json, recordIn, textIn } from "../../injector/json.ts";
import { names } from "../../injector/names.ts";
import type { KubeObject } from "../../kube/kube-object.ts";
import { resources } from "../../kube/resources.ts";
import { injectLabel } from "../../reconcilers/injection-registration.ts";
import { programVersion } from "../../settings/program-version.ts";
import { fewOf, type Said } from "./finding.ts";
import type { ApiServer } from "./open-api-server.ts";
import { type ProxyTrouble, proxyTrouble } from "./proxy-trouble.ts";

/** Pods that have ended have no proxy any more. */
const fieldSelector = "status.phase!=Succeeded,status.phase!=Failed";

/** Namespaces that are never injected, besides Lateen's own. */
const exempt = ["kube-system", "kube-public", "kube-node-lease"];

/** Pods of which one sentence is true, by that sentence. */
type Pods = Map<string, string[]>;

/** Which pods that ask for a proxy have none, which have one of another version, and whose does not work. */
export async function checkPods(
	server: ApiServer,
	own: string,
): Promise<readonly Said[]> {
	const without = await podsWithout(server, own);
	const injected = await injectedPods(server);
	const said = [
		...without,
		...(await missingAuthorities(server, injected.namespaces)),
		...injected.said,
	];
	return said.length > 0
		? said
		: [
				{
					verdict: "ok",
					message: `All pods that are to have a proxy have one of this version that works (${injected.count}).`,
				},
			];
}

/** Pods without a proxy where they or their namespace ask for one. */
async function podsWithout(
	{ client }: ApiServer,
	own: string,
): Promise<readonly Said[]> {
	const seen = new Set<string>();
	const forgotten: string[] = [];
	const skipped: Pods = new Map();
	const look = ({ metadata, content }: KubeObject): void => {
		const name = `${metadata.namespace}/${metadata.name}`;
		if (seen.has(name) || [...exempt, own].includes(metadata.namespace)) return;
		seen.add(name);
		const standing = standingOf(content);
		if (standing === "forgotten") forgotten.push(name);
		else if (standing !== undefined) note(skipped, standing.because, name);
	};
	const labelSelector = `${injectLabel}=true`;
	const asking = client.listAll(resources.Namespace, { labelSelector });
	const metadataOnly = { metadataOnly: true };
	for await (const { metadata } of asking) {
		const within = { namespace: metadata.name, fieldSelector };
		const pods = client.listAll(resources.Pod, within, metadataOnly);
		for await (const pod of pods) look(pod);
	}
	const themselves = { labelSelector, fieldSelector };
	const pods = client.listAll(resources.Pod, themselves, metadataOnly);
	for await (const pod of pods) look(pod);
	const found: Said[] = [...skipped].map(([because, list]) => ({
		verdict: "warning",
		message: `Pods that were to have a proxy and have none: ${fewOf(list)}. ${because}`,
	}));
	if (forgotten.length > 0)
		found.unshift({
			verdict: "warning",
			message: `Pods that ask for a proxy, or whose namespace does, and have none: ${fewOf(forgotten)}. They were made before; \`kubectl rollout restart\` of what makes them gives them one.`,
		});
	return found;
}

/** Pods with a proxy: how many, where, and what is not as it should be. */
async function injectedPods({ client }: ApiServer): Promise<{
	readonly count: number;
	readonly namespaces: ReadonlySet<string>;
	readonly said: readonly Said[];
}> {
	const older: Pods = new Map();
	const troubles = new Map<string, { trouble: ProxyTrouble; pods: string[] }>();
	const namespaces = new Set<string>();
	let count = 0;
	const pods = client.listAll(resources.Pod, {
		labelSelector: names.injectedLabel,
		fieldSelector,
	});
	for await (const { metadata, content } of pods) {
		count += 1;
		namespaces.add(metadata.namespace);
		const name = `${metadata.namespace}/${metadata.name}`;
		const about = recordIn(content, "metadata");
		const version = textIn(recordIn(about, "labels"), names.injectedLabel);
		if (version !== programVersion) note(older, version, name);
		const trouble = isGoing(about) ? undefined : proxyTrouble(content);
		if (trouble === undefined) continue;
		const key = JSON.stringify(trouble);
		const like = troubles.get(key);
		if (like === undefined) troubles.set(key, { trouble, pods: [name] });
		else like.pods.push(name);
	}
	return {
		count,
		namespaces,
		said: [
			...[...troubles.values()].map(({ trouble, pods }) =>
				sayTrouble(trouble, pods),
			),
			...[...older].map(
				([version, list]): Said => ({
					verdict: "warning",
					message: `Pods with the proxy of version ${version}: ${fewOf(list)}. \`kubectl rollout restart\` of what makes them gives them that of ${programVersion}.`,
				}),
			),
		],
	};
}

function sayTrouble(trouble: ProxyTrouble, pods: readonly string[]): Said {
	const [namespace = "", pod = ""] = (pods[0] ?? "").split("/");
	switch (trouble.kind) {
		case "image":
			return {
				verdict: "problem",
				message: `Pods cannot have the image ${trouble.image} of their ${trouble.container} (${trouble.reason}): ${fewOf(pods)}. Push it there, or name another in spec.injection of the Mesh default (\`lateen install --proxy-image\`) and have the pods made anew.`,
			};
		case "failing":
			return {
				verdict: "problem",
				message: `Pods have a ${trouble.container} that does not run (${trouble.reason}): ${fewOf(pods)}. \`kubectl -n ${namespace} logs ${pod} -c ${trouble.container}\` and \`kubectl -n ${namespace} describe pod ${pod}\` say why.`,
			};
		case "memory":
			return {
				verdict: "warning",
				message: `Pods have a ${trouble.container} that was killed for want of memory: ${fewOf(pods)}. Give it more: the annotation lateen.dev/proxy-memory-limit, or spec.injection.resources of the Mesh default.`,
			};
		case "unready":
			return {
				verdict: "warning",
				message: `Pods have a proxy that runs and is not ready: ${fewOf(pods)}. It waits for the control plane; \`kubectl -n ${namespace} logs ${pod} -c ${names.proxyContainer}\` says what keeps them apart.`,
			};
	}
}

/** Pods mount the authorities of the control plane, and do not start where these are not. */
async function missingAuthorities(
	{ client }: ApiServer,
	namespaces: ReadonlySet<string>,
): Promise<readonly Said[]> {
	if (namespaces.size === 0) return [];
	const missing = new Set(namespaces);
	const copies = client.listAll(
		resources.ConfigMap,
		{ fieldSelector: `metadata.name=${names.configMap}` },
		{ metadataOnly: true },
	);
	for await (const { metadata } of copies) missing.delete(metadata.namespace);
	if (missing.size === 0) return [];
	return [
		{
			verdict: "problem",
			message: `There is no ConfigMap ${names.configMap} in ${fewOf([...missing])}, so new pods with a proxy do not start there. The leader copies it within seconds; see that one leads and has the role of the manifests.`,
		},
	];
}

/** Whether a pod neither has a proxy nor says why, or why it says that it has none; undefined where all is as it should be. */
function standingOf(
	content: Json,
): "forgotten" | { readonly because: string } | undefined {
	const metadata = recordIn(content, "metadata");
	const labels = recordIn(metadata, "labels");
	const annotations = recordIn(metadata, "annotations");
	const wish = textIn(labels, injectLabel) || textIn(annotations, injectLabel);
	if (
		textIn(labels, names.injectedLabel) !== "" ||
		wish === "false" ||
		textIn(annotations, "kubernetes.io/config.mirror") !== "" ||
		isGoing(metadata)
	)
		return undefined;
	const because = textIn(annotations, names.notInjectedAnnotation);
	return because === "" ? "forgotten" : { because };
}

function isGoing(metadata: Json): boolean {
	return textIn(metadata, "deletionTimestamp") !== "";
}

function note(pods: Pods, sentence: string, name: string): void {
	const list = pods.get(sentence);
	if (list === undefined) pods.set(sentence, [name]);
	else list.push(name);
}
